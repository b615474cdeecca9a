import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { findCompose, runCompose } from "./compose/compose-command.ts";
import { interpolate } from "./interpolate.ts";
import { toIkomaError } from "../errors.ts";

const values: Readonly<Record<string, string>> = { SET: "value", EMPTY: "", MONEY: "a$SET$$b", _: "shells set it" };
const lookup = (name: string): string | undefined => values[name];

test.each([
  ["$SET and ${SET}", "value and value"],
  ["${UNSET}|$UNSET", "|"],
  ["${EMPTY:-soft} ${EMPTY-hard} ${UNSET-hard}", "soft  hard"],
  ["${SET:+there} ${EMPTY:+there}|${EMPTY+there}|${UNSET+there}", "there |there|"],
  ["${SET:?no} ${EMPTY?no}", "value "],
  ["${UNSET:-${EMPTY:-$SET}}/x}", "value/x}"],
  ["${UNSET:-a:b-c?d+e}", "a:b-c?d+e"],
  ["$$SET $${SET} $$$SET", "$SET ${SET} $value"],
  ["costs 5$, $5 and $", "costs 5$, $5 and $"],
  ["${MONEY}", "a$SET$$b"],
  ["${UNSET:-{}}", "{}"],
  ["first ${SET}\nsecond ${SET:-x}", "first value\nsecond value"],
])("%j becomes %j", (text, expected) => {
  expect(interpolate(text, lookup)).toBe(expected);
});

test("a required variable without value is named with the author's reason", () => {
  expect(() => interpolate("x ${UNSET:?ask ${SET}} y", lookup)).toThrow("Variable UNSET has no value: ask value.");
  expect(() => interpolate("${EMPTY:?}", lookup)).toThrow(expect.objectContaining({ code: "CONFIG_MISSING" }));
});

test.each(["${", "${}", "${1}", "a ${SET", "${SET!x}", "${ SET }"])("%j is malformed", (text) => {
  expect(() => interpolate(text, lookup)).toThrow(expect.objectContaining({ code: "COMPOSE_INVALID" }));
});

test("a text with its dollars doubled comes back as it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(interpolate(text.replaceAll("$", "$$$$"), lookup)).toBe(text);
    }),
  );
});

test("a default is used exactly when the variable is missing", () => {
  const word = fc.stringMatching(/^[a-z0-9 :?+-]*$/);
  fc.assert(
    fc.property(word, fc.option(word, { nil: undefined }), (fallback, value) => {
      expect(interpolate(`\${X-${fallback}}`, () => value)).toBe(value ?? fallback);
      expect(interpolate(`\${X:-${fallback}}`, () => value)).toBe(
        value === undefined || value === "" ? fallback : value,
      );
    }),
  );
});

// Pieces that make most texts come close to the grammar's edges.
const piece = fc.constantFrom(
  ...["$", "${", "}", "{", "$$", "SET", "EMPTY", "UNSET", ":-", "-", ":+", "+", ":?", "?", ":", "${SET", "${UNSET:-"],
  ...["${EMPTY:-", "${UNSET-", " ", "x", "\n", "1", "_", "}}", "${UNSET:+", "${SET:+"],
);
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));

/** What compose makes of each text: undefined where it refuses it. */
async function byCompose(texts: readonly string[]): Promise<(string | undefined)[]> {
  const compose = await findCompose();
  const run = (chosen: readonly (readonly [string, string])[]): ReturnType<typeof runCompose> => {
    const model = { services: { s: { image: "x", environment: Object.fromEntries(chosen) } } };
    const words = ["--project-name", "p", "--file", "-", "--env-file", "/dev/null", "config", "--format", "json"];
    return runCompose(compose, words, { input: JSON.stringify(model), environment: values });
  };
  const named = texts.map((each, index) => [`K${index}`, each] as const);
  const { stderr } = await run(named);
  const refused = new Set([...stderr.matchAll(/services\.s\.environment\.(K\d+)[.:]/g)].map((match) => match[1]));
  const good = named.filter(([name]) => !refused.has(name));
  const { code, stdout, stderr: problem } = await run(good);
  if (code !== 0) throw new Error(problem);
  const { environment = {} } = (JSON.parse(stdout) as { services: { s: { environment?: Record<string, string> } } })
    .services.s;
  return named.map(([name]) => environment[name]?.replaceAll("$$", "$"));
}

test("any text becomes what docker compose makes of it", async () => {
  const ours = (each: string): string | undefined => {
    try {
      return interpolate(each, lookup);
    } catch (thrown) {
      expect(["CONFIG_MISSING", "COMPOSE_INVALID"]).toContain(toIkomaError(thrown).code);
      return undefined;
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 300, maxLength: 300 }), async (texts) => {
      const theirs = await byCompose(texts);
      const pairs = texts.map((each, index) => ({ each, ours: ours(each), theirs: theirs[index] }));
      expect(pairs.filter((pair) => pair.ours !== pair.theirs)).toEqual([]);
    }),
    { numRuns: 5, endOnFailure: true },
  );
});
