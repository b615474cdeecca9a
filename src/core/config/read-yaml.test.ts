import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { readHostFiles } from "../hosts/host-files.ts";
import { findDeployProject } from "../project/deploy-project.ts";
import { readStackSettings } from "../project/deploy-stack-file.ts";
import { initProject } from "../project/project-init.ts";
import { explainConfig } from "./explain-config.ts";
import { readYaml } from "./read-yaml.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-yaml-"));
});
afterAll(() => rm(folder, { recursive: true }));

const notReadable: [flaw: string, text: string][] = [
  ["a tab", "name: shop\nconfig:\n\tikoma:apps: {}\n"],
  ["a key twice", "name: shop\nname: blog\n"],
  ["two documents", "name: shop\n---\nname: blog\n"],
  ["an alias of nothing", "name: shop\nconfig: *nothing\n"],
  ["an alias of very much", veryMuch()],
];
const notMeant: [flaw: string, text: string][] = [
  ["no map", "hello\n"],
  ["a list", "- name: shop\n"],
  ["settings that are a list", "config: [a]\n"],
];

/** Nine lists of nine lists of nine lists… */
function veryMuch(): string {
  const levels = Array.from({ length: 8 }, (_, level) => {
    const items = Array.from({ length: 9 }, () => (level === 0 ? "x" : `*l${level - 1}`)).join(",");
    return `level${level}: &l${level} [${items}]\n`;
  });
  return `name: shop\n${levels.join("")}`;
}

const invalid = { code: "CONFIG_INVALID", message: expect.stringMatching(/Pulumi(?:\.prod)?\.yaml/) as unknown };

test.each([...notReadable, ...notMeant])("a stack's file with %s is the user's to correct", async (_, text) => {
  const path = join(folder, "Pulumi.prod.yaml");
  await writeFile(path, text);
  await expect(readStackSettings(path)).rejects.toMatchObject(invalid);
  await expect(readHostFiles(folder)).rejects.toMatchObject(invalid);
  expect(() => explainConfig(text, "Pulumi.prod.yaml")).toThrow(expect.objectContaining(invalid));
});

test.each([...notReadable, ...notMeant])("so is a Pulumi.yaml with %s", async (_, text) => {
  await writeFile(join(folder, "Pulumi.yaml"), text);
  await expect(findDeployProject(folder, "prod")).rejects.toMatchObject(invalid);
  await expect(initProject(folder, { app: "shop", backendUrl: "file://~" })).rejects.toMatchObject(invalid);
});

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
    readYaml(fileWith(value), "Pulumi.prod.yaml");
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
  expect(readYaml(text, "Pulumi.prod.yaml").value).toEqual({ config: { a: { x: 1 }, b: { x: 1 } } });
});
