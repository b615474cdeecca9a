import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spaTree, startTree, writeTree } from "../../../../test/rigs/lovable-project.ts";
import { createBundle } from "../create-bundle.ts";

const image = `registry.example/shop@sha256:${"1".repeat(64)}`;
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-generated-"));
});

afterEach(() => rm(folder, { recursive: true }));

test.each([
  [1, spaTree, 8080, []],
  [1, { ...spaTree, Dockerfile: "FROM nginx\nEXPOSE 80\n" }, 80, []],
  [2, startTree, 3000, [{ name: "RESEND_API_KEY", required: true }]],
])(
  "a project of generation %s makes a bundle without a compose file, and none is written",
  async (generation, tree, port, variables) => {
    await writeTree(folder, tree);
    const before = await readdir(folder);
    const warnings: string[] = [];
    const options = { app: "shop", version: "v1", projectDirectory: folder, images: { web: image } };
    const bundle = await createBundle({ ...options, onWarning: (warning) => warnings.push(warning) });
    expect(bundle).toMatchObject({
      services: { web: { kind: "web", definition: { image } } },
      routes: [{ path: "/", service: "web", port }],
      health: { path: "/" },
      variables,
    });
    expect(warnings).toEqual([expect.stringContaining(`is taken as Lovable, generation ${generation}`)]);
    expect(await readdir(folder)).toEqual(before);
  },
);

test("the port of an image is not guessed where its Dockerfile does not say it", async () => {
  await writeTree(folder, { ...spaTree, Dockerfile: "FROM nginx\n" });
  const options = { app: "shop", version: "v1", projectDirectory: folder, images: { web: image } };
  await expect(createBundle(options)).rejects.toMatchObject({
    code: "PROJECT_UNSUPPORTED",
    hint: expect.stringContaining("Write a compose.yaml"),
  });
});

test("without a compose file and without a known project it is said what was looked for", async () => {
  await expect(createBundle({ app: "shop", version: "v1", projectDirectory: folder })).rejects.toMatchObject({
    code: "PROJECT_UNKNOWN",
    message: expect.stringContaining("vite.config.*: not there"),
    hint: expect.stringContaining("looked for compose.yaml, compose.yml"),
  });
});
