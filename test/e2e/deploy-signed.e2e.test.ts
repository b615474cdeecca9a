import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import { operations, type OperationInput } from "../../src/agent/protocol/operations.ts";
import { parseImageReference } from "../../src/core/adapters/registry/image-reference.ts";
import { RegistryClient } from "../../src/core/adapters/registry/registry-client.ts";
import { readBundle } from "../../src/core/bundle/bundle-store.ts";
import { resolveRelease } from "../../src/core/release/resolve-release.ts";
import { signatureTag } from "../../src/core/signing/signature-artifact.ts";
import { pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { shellBlocks } from "./documents/shell-blocks.ts";
import { startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let v2: TinyWebImage;
let bundles: Record<"unsigned" | "v1" | "v2", string>;

beforeAll(async () => {
  lab = await startDeployLab("signed");
  const settings = { health: { path: "/health", timeoutSeconds: 20 }, keep: 9, drainSeconds: 1 };
  ({ project, app } = await lab.addProject({ name: "shop", compose: webAlone, settings }));
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  bundles = {
    unsigned: await project.bundle({ ...v1, version: "v0" }),
    v1: await project.bundle(v1),
    v2: await project.bundle(v2),
  };
  await guide("Make a pair of keys");
  await project.ikomaWell("bundle", "keygen", "stranger");
  const config = { "ikoma:hosts": { vps1: lab.host.config } };
  await writeFile(join(project.folder, "Pulumi.hosts.yaml"), stringify({ config }));
  await project.ikomaWell("host", "bootstrap", "vps1");
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Follows what the guide says under a heading; gives what the last block printed. */
async function guide(heading: string, reference = ""): Promise<string> {
  const blocks = (await shellBlocks("docs/guides/signed-bundles.md")).filter((each) => each.heading === heading);
  let printed = "";
  for (const { text } of blocks.filter((each) => each.isRun)) {
    printed = await project.shellWell(`set -e\nexport HOST=vps1 REF='${reference}'\n${text}`);
  }
  expect(printed).not.toBe("");
  return printed;
}

function sign(reference: string, key: string): Promise<string> {
  return project.ikomaWell("bundle", "sign", reference, "--sign-key", `${key}.key`);
}

/** What runs, once nothing of an earlier release is left. */
async function standing(): Promise<Awaited<ReturnType<AppOnServer["containers"]>>> {
  await until("one container is left", async () => (await app.containers()).length === 1);
  return app.containers();
}

/** Refused in the plan and in the deploy, with nothing changed. */
async function refused(...args: readonly string[]): Promise<Awaited<ReturnType<AppProject["applyBadly"]>>> {
  const running = await standing();
  const stack = await project.stackText();
  const planned = await project.ikoma("deploy", "plan", "--json", "--stack", "prod", ...args);
  const applied = await project.applyBadly("--stack", "prod", ...args);
  expect(JSON.parse(planned.stdout)).toMatchObject({ kind: "Error", error: { code: applied.code } });
  expect(await app.containers()).toEqual(running);
  expect(await project.stackText()).toBe(stack);
  return applied;
}

const apply = (...args: readonly string[]) => project.apply("--stack", "prod", ...args);

test("without keys on the host an unsigned bundle is deployed, and the first plan says quietly that it is not signed", async () => {
  const plan = await project.ikomaWell("deploy", "plan", "--stack", "prod", "--bundle", bundles.unsigned);
  expect(plan).toContain("not signed (`ikoma bundle sign`");
  expect(await apply("--bundle", bundles.unsigned)).toMatchObject({ apps: { shop: { version: "v0", number: 1 } } });
  expect(await project.ikomaWell("deploy", "plan", "--stack", "prod", "--bundle", bundles.v2)).not.toContain(
    "not signed",
  );
});

test("keys come to the host with its agent, and no app is restarted", async () => {
  const before = await standing();
  await guide("Tell the hosts");
  expect(await app.containers()).toEqual(before);
  expect(await project.applyAgain("--stack", "prod")).toEqual([]);
});

describe("once a host has keys", () => {
  test("a bundle that nobody has signed is refused", async () => {
    const failure = await refused("--bundle", bundles.v2);
    expect(failure).toMatchObject({ code: "BUNDLE_UNSIGNED", exitCode: 3, details: { trusted: ["ci"] } });
    expect(failure.hint).toContain("ikoma bundle sign");
  });

  test("and one that somebody else has signed", async () => {
    await sign(bundles.v2, "stranger");
    const failure = await refused("--bundle", bundles.v2);
    expect(failure).toMatchObject({ code: "BUNDLE_SIGNATURE_INVALID", exitCode: 3 });
    expect(failure.message).toMatch(/one by SHA256:\S+ does not fit any key that is trusted/);
  });

  test("and one whose signature is another bundle's", async () => {
    await sign(bundles.v1, "ci");
    const client = new RegistryClient({ plainHttp: true });
    const tagOf = (reference: string) => {
      const { digest = "", registry, repository, familiarName } = parseImageReference(reference);
      return { registry, repository, familiarName, tag: signatureTag(digest) };
    };
    const { mediaType, content } = await client.manifest(tagOf(bundles.v1));
    const kept = await client.manifest(tagOf(bundles.v2));
    await client.putManifest(tagOf(bundles.v2), mediaType, Buffer.from(content));
    const failure = await refused("--bundle", bundles.v2);
    expect(failure).toMatchObject({ code: "BUNDLE_SIGNATURE_INVALID" });
    expect(failure.message).toContain("the one by ci is for sha256:");
    await client.putManifest(tagOf(bundles.v2), kept.mediaType, Buffer.from(kept.content));
  });

  test("and a file that was edited after it was signed", async () => {
    const file = join(project.folder, "shop.bundle.json");
    await project.ikomaWell(
      ...["bundle", "create", "--app", "shop", "--version", "v2", "--image", `web=${v2.reference}`],
      ...["--sign-key", "ci.key", "--output", file],
    );
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace('"GREETING":"${GREETING:-hello}"', '"GREETING":"${GREETING:-owned}"'));
    expect(await refused("--bundle", file)).toMatchObject({ code: "BUNDLE_SIGNATURE_INVALID" });
    await writeFile(file, text);
    expect(await project.ikomaWell("bundle", "verify", file, "--key", "ci.pub")).toContain("signed by ci");
  });

  test("one that is signed is deployed, and inspect tells by whom", async () => {
    const shown = await guide("Sign", bundles.v2);
    expect(shown).toMatch(/Signed by SHA256:\S+ \(\w+\): not by a key that is trusted here\nSigned by ci, SHA256:/);
    expect(await apply("--bundle", bundles.v2)).toMatchObject({ apps: { shop: { version: "v2", number: 2 } } });
    expect(await app.versions()).toEqual(["v2"]);
    await project.configure(["env"], { GREETING: "good day" });
    expect(await apply()).toMatchObject({ apps: { shop: { number: 3 } } });
    expect(await app.variable("GREETING")).toBe("good day");
  });
});

/** What a deploy of the signed bundle tells the agent, but for what `change` does to it. */
async function released(change: (input: OperationInput<"release.apply">) => unknown) {
  const { manifest, digest, reference } = await readBundle(bundles.v2);
  const env = { GREETING: "good day" };
  const settings = { app: "shop", stack: "prod", env, secretNames: [] };
  const spec = { ...resolveRelease(manifest, settings, (_names, compute) => compute({})), bundle: digest };
  const input = operations["release.apply"].input.parse({ spec, source: { bundle: reference, env } });
  const altered = change(input);
  const { generation } = await lab.host.agent.call("part.read", { app: "shop", part: "release", expected: null });
  return lab.host.agent.runOperation("release.apply", {
    key: randomUUID(),
    input: operations["release.apply"].input.parse(altered),
    expectedGeneration: generation,
  });
}

function withWeb(input: OperationInput<"release.apply">, fields: Record<string, unknown>): unknown {
  const { web } = input.spec.services;
  return { ...input, spec: { ...input.spec, services: { web: { ...web, ...fields } } } };
}

test("who speaks to the agent directly cannot have it run anything else under the signed bundle's name", async () => {
  const running = await standing();
  const alterations: Record<string, (input: OperationInput<"release.apply">) => unknown> = {
    image: (input) => withWeb(input, { image: v1.reference }),
    privileged: (input) => withWeb(input, { privileged: true }),
    command: (input) => withWeb(input, { command: ["sh", "-c", "id"] }),
    volumes: (input) => withWeb(input, { volumes: [{ type: "bind", source: "/", target: "/host" }] }),
    "environment.GREETING": (input) => withWeb(input, { environment: { GREETING: "not the value that came along" } }),
    "services.other": ({ spec, ...input }) => ({
      ...input,
      spec: { ...spec, services: { ...spec.services, other: { ...spec.services.web, kind: "worker" } } },
    }),
  };
  for (const [what, alter] of Object.entries(alterations)) {
    const path = what.startsWith("services") ? what : `services.web.${what}`;
    await expect(released(alter)).rejects.toMatchObject({
      code: "BUNDLE_SIGNATURE_INVALID",
      details: { differences: expect.arrayContaining([path]) as unknown },
    });
  }
  expect(await app.containers()).toEqual(running);
  // The same, not altered: the check is of what was altered, not of who asks.
  const untouched = (input: OperationInput<"release.apply">) => ({
    ...input,
    spec: { ...input.spec, drainSeconds: 1, health: { path: "/health", timeoutSeconds: 20 } },
  });
  expect(await released(untouched)).toMatchObject({ result: { unchanged: true, number: 3 } });
});

test("what the host served before it had keys can be gone back to, just as it was and in no other way", async () => {
  const back = await project.rollBack("--stack", "prod", "--to", "#1");
  expect(back).toMatchObject({ target: { number: 1 }, apps: { shop: { version: "v0", number: 4 } } });
  await project.configure(["env"], { GREETING: "bonjour" });
  expect(await refused()).toMatchObject({ code: "BUNDLE_UNSIGNED" });
  expect(await apply("--bundle", bundles.v1)).toMatchObject({ apps: { shop: { version: "v1", number: 5 } } });
});

describe("when keys are changed", () => {
  test("what runs runs on, and what carries the new key's signature is taken", async () => {
    const running = await standing();
    await guide("Change keys", bundles.v1);
    expect(await app.containers()).toEqual(running);
    expect(await apply()).toMatchObject({ changed: true, apps: { shop: { number: 5 } } });
    await project.configure(["env"], { GREETING: "guten Tag" });
    expect(await apply()).toMatchObject({ apps: { shop: { version: "v1", number: 6 } } });
    expect(await app.variable("GREETING")).toBe("guten Tag");
  });

  test("and nothing that only the old key has signed", async () => {
    const v3 = await project.bundle({ ...v2, version: "v3" });
    await sign(v3, "ci");
    const failure = await refused("--bundle", v3);
    expect(failure).toMatchObject({ code: "BUNDLE_SIGNATURE_INVALID", details: { trusted: ["ops"] } });
  });
});
