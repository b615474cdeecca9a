import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { findCompose, runCompose } from "./compose/compose-command.ts";
import { variablesOf, variablesOfTree } from "./variables.ts";

test("a variable is required, has a default, or may be empty", () => {
  expect(variablesOf("${A:?why} ${B:-b} $C ${D:+x} ${E-} $$F")).toEqual([
    { name: "A", required: true },
    { name: "B", required: false, default: "b" },
    { name: "C", required: false },
    { name: "D", required: false, default: "" },
    { name: "E", required: false, default: "" },
  ]);
});

test("a variable inside a default counts too", () => {
  expect(variablesOf("${A:-${B:-c}}/${D}")).toEqual([
    { name: "A", required: false, default: "${B:-c}" },
    { name: "B", required: false, default: "c" },
    { name: "D", required: false },
  ]);
});

test("one that is required in one place is required", () => {
  const tree = { environment: { ONE: "${A:-x}", TWO: "${A:?}" }, command: ["$B"] };
  expect(variablesOfTree(tree)).toEqual([
    { name: "A", required: true },
    { name: "B", required: false },
  ]);
});

const name = fc.constantFrom("A", "B", "C", "D_1", "e");
const { text } = fc.letrec<{ text: string; placeholder: string }>((tie) => ({
  text: fc
    .array(fc.oneof({ maxDepth: 3 }, fc.constantFrom("x", " ", "$$", "/"), tie("placeholder")), { maxLength: 4 })
    .map((parts) => parts.join("")),
  placeholder: fc.oneof(
    { maxDepth: 3 },
    name.map((each) => `\${${each}}`),
    name.map((each) => `$${each}`),
    fc
      .tuple(name, fc.constantFrom(":-", "-", ":+", "+", ":?", "?"), tie("text"))
      .map((parts) => `\${${parts.join("")}}`),
  ),
}));

interface ComposeVariable {
  Name: string;
  DefaultValue: string;
  Required: boolean;
}

/** Of a variable that is used twice compose keeps one use, which one depends on the place: only its name can be compared. */
function isUsedOnce(command: readonly string[], variable: string): boolean {
  return (command.join("\n").match(new RegExp(`\\$\\{?${variable}(?![A-Za-z0-9_])`, "g")) ?? []).length === 1;
}

test("the variables of a file are those that docker compose lists", async () => {
  const compose = await findCompose();
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (command) => {
      const input = JSON.stringify({ services: { s: { image: "x", command } } });
      const words = ["--file", "-", "config", "--variables", "--format", "json"];
      const { stdout } = await runCompose(compose, words, { input });
      const theirs = Object.values(JSON.parse(stdout) as Record<string, ComposeVariable>);
      const ours = variablesOfTree(command).map((each) => ({ ...each, default: each.default ?? "" }));
      const listed = theirs.map(({ Name, DefaultValue, Required }) => {
        return { name: Name, required: Required, default: Required ? "" : DefaultValue };
      });
      listed.sort((a, b) => (a.name < b.name ? -1 : 1));
      expect(ours.map((each) => each.name)).toEqual(listed.map((each) => each.name));
      const once = (each: { name: string }): boolean => isUsedOnce(command, each.name);
      expect(ours.filter(once)).toEqual(listed.filter(once));
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
