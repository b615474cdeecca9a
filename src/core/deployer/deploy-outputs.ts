import * as z from "zod";

const exportedService = z.looseObject({
  kind: z.string().optional(),
  image: z.string().optional(),
  state: z.string().optional(),
  healthy: z.boolean().optional(),
  replicas: z.number().optional(),
});

const exportedApp = z.looseObject({
  number: z.number(),
  version: z.string(),
  bundle: z.string().optional(),
  digest: z.string().optional(),
  host: z.string().optional(),
  url: z.string().optional(),
  services: z.record(z.string(), exportedService).catch({}),
});

/** What an environment's program exports of an app; see stacks/environment.ts. */
export type ExportedApp = z.infer<typeof exportedApp>;

const exportedApps = z.looseObject({ apps: z.record(z.string(), z.unknown()).optional() });

/** The apps among a stack's exports. What has another shape (not known yet in a preview, another program) is left out. */
export function readExportedApps(outputs: Readonly<Record<string, unknown>>): Record<string, ExportedApp> {
  const { apps } = exportedApps.catch({}).parse(outputs);
  return Object.fromEntries(
    Object.entries(apps ?? {}).flatMap(([app, value]) => {
      const read = exportedApp.safeParse(value);
      return read.success ? [[app, read.data]] : [];
    }),
  );
}
