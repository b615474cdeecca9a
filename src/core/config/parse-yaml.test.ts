import { expect, test } from "@jest/globals";
import { inspect } from "node:util";
import { parseYaml } from "./parse-yaml.ts";

const fileWith = (value: string): string => `config:\n  ikoma:secrets:\n    shop:\n      TOKEN: ${value}\n`;

test.each([
  ["that begins with a reserved character", "@hunter22", "Plain value cannot start with reserved character @", 14],
  ["that looks like a map", "hunter22: x", "Nested mappings are not allowed in compact mappings", 14],
  ["that looks like a block", "|hunter22", "Block scalar header includes extra characters", 15],
  ["that looks like an alias", "*hunter22", "What begins with * stands for an anchor that is not there", 14],
  ["set twice", "hunter21\n      TOKEN: hunter22", "Map keys must be unique", 7],
])("a secret %s is told by its place, not quoted", (_what, value, says, column) => {
  let thrown: unknown;
  try {
    parseYaml(fileWith(value), "Pulumi.prod.yaml");
  } catch (error) {
    thrown = error;
  }
  const line = says.startsWith("Map keys") ? 5 : 4;
  expect(thrown).toMatchObject({
    code: "CONFIG_INVALID",
    message: `Pulumi.prod.yaml is not readable YAML: ${says} (line ${line}, column ${column})`,
  });
  expect(inspect(thrown)).not.toContain("hunter2");
});

test("an alias of an anchor that is there is taken", () => {
  const text = "config:\n  a: &common { x: 1 }\n  b: *common\n";
  expect(parseYaml(text, "Pulumi.prod.yaml").toJS()).toEqual({ config: { a: { x: 1 }, b: { x: 1 } } });
});
