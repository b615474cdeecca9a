import { expect, test } from "@jest/globals";
import { interpolateTree, mapStrings } from "./interpolate-tree.ts";

const lookup = (name: string): string | undefined => ({ A: "1", B: "b$b" })[name];

test("every string of the tree is substituted, keys and other values stay", () => {
  const definition = {
    environment: { X: "${A}", "${A}": "k" },
    command: ["run", "${B}"],
    cpus: 2,
    init: true,
    none: null,
  };
  expect(interpolateTree(definition, lookup)).toEqual({
    environment: { X: "1", "${A}": "k" },
    command: ["run", "b$b"],
    cpus: 2,
    init: true,
    none: null,
  });
});

test("all missing variables are named at once, with their places", () => {
  const definition = { environment: { X: "${U:?needed}", Y: "${V?}" }, command: ["${U:?needed}"] };
  expect(() => interpolateTree(definition, lookup)).toThrow(
    expect.objectContaining({
      code: "CONFIG_MISSING",
      details: { variables: ["U", "V"] },
      message: [
        "environment.X: Variable U has no value: needed.",
        "environment.Y: Variable V has no value.",
        "command[0]: Variable U has no value: needed.",
      ].join("\n"),
    }),
  );
});

test("a malformed variable outweighs missing ones", () => {
  expect(() => interpolateTree({ a: "${U?}", b: "${" }, lookup)).toThrow(
    expect.objectContaining({ code: "COMPOSE_INVALID" }),
  );
});

test("a change may put anything in a string's place", () => {
  const paths: string[] = [];
  const changed = mapStrings({ a: ["x", { b: "y" }] }, (text, path) => {
    paths.push(path);
    return { text };
  });
  expect(changed).toEqual({ a: [{ text: "x" }, { b: { text: "y" } }] });
  expect(paths).toEqual(["a[0]", "a[1].b"]);
});

test("a key that is named like a property of objects stays a key", () => {
  const tree: unknown = JSON.parse('{"__proto__":"${A}"}');
  expect(JSON.stringify(mapStrings(tree, () => "1"))).toBe('{"__proto__":"1"}');
});
