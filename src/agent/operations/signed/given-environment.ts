import * as z from "zod";

const source = z.looseObject({ env: z.record(z.string(), z.string()).default({}) });

/** The values that a release was made with, as its source tells them; none where that is of another form. */
export function givenEnvironment(given: unknown): Readonly<Record<string, string>> {
  return source.safeParse(given).data?.env ?? {};
}
