import { createHash } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import type * as pulumi from "@pulumi/pulumi";
import { parseImageReference, type ImageReference } from "../../src/core/adapters/registry/image-reference.ts";
import { RegistryClient } from "../../src/core/adapters/registry/registry-client.ts";
import type { EngineEvent } from "../../src/core/engine/engine-event.ts";
import type { Program } from "../../src/core/engine/language-server.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { startLocalRegistry, type LocalRegistry } from "../rigs/registry.ts";
import { AnyResource, hostAddress, hostProgram, IkomaHost } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const token = "ikoma:registry:Image";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const client = new RegistryClient();
const stacks: TestStack[] = [];
let registry: LocalRegistry;

beforeAll(async () => {
  registry = await startLocalRegistry();
});

afterAll(async () => {
  await registry[Symbol.asyncDispose]();
});

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

async function newStack(agent = new FakeAgent()): Promise<TestStack> {
  const stack = await TestStack.create({ [hostAddress]: agent });
  stacks.push(stack);
  return stack;
}

const repository = (name: string): string => `${registry.address}/${name}`;
const at = (name: string, where: string): ImageReference => parseImageReference(`${repository(name)}${where}`);

/** Pushes an image without layers, with the label `version`, and gives its digest. */
async function push(name: string, version: string): Promise<string> {
  const labels = { config: { Labels: { version } } };
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", ...labels }));
  const reference = at(name, `:pushed-${version}`);
  await client.putBlob(reference, config);
  const digest = `sha256:${createHash("sha256").update(config).digest("hex")}`;
  const descriptor = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: config.length };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: descriptor, layers: [] });
  return client.putManifest(reference, manifestType, Buffer.from(manifest));
}

const missing = { code: "IMAGE_NOT_FOUND" };

test("an image is planned, verified and tagged, left alone, told as drifted, put right, and kept", async () => {
  const stack = await newStack();
  const [v1, v2] = [await push("shop", "v1"), await push("shop", "v2")];
  const inputs = { repository: repository("shop"), digest: v1, labels: { version: "v1" }, tag: "live" };
  const program = hostProgram(token, { ...inputs, platforms: ["linux/amd64"] });

  await expect(stack.preview(program)).resolves.toMatchObject({ changes: { create: 1 } });
  await expect(client.resolveDigest(at("shop", ":live"))).rejects.toMatchObject(missing);
  await stack.up(program);
  await expect(client.resolveDigest(at("shop", ":live"))).resolves.toBe(v1);
  await expect(stack.up(program)).resolves.toMatchObject({ changes: { same: 1, update: 0 } });

  await client.tag(at("shop", `@${v2}`), "live");
  const drifted = await stack.run("drift", program);
  expect(drifted.plan).toMatchObject([{ drift: [`tag: the tag was moved to ${v2}`] }]);
  await expect(stack.up(program)).resolves.toMatchObject({ changes: { update: 1 } });
  await expect(client.resolveDigest(at("shop", ":live"))).resolves.toBe(v1);

  await stack.destroy();
  await expect(client.resolveDigest(at("shop", `@${v1}`))).resolves.toBe(v1);
});

test("a digest that is gone is a drift, and the next up says what is missing", async () => {
  const stack = await newStack();
  const digest = await push("gone", "v1");
  const program = hostProgram(token, { repository: repository("gone"), digest });
  await stack.up(program);
  await client.deleteManifest(at("gone", `@${digest}`));

  const drifted = await stack.run("drift", program);
  expect(drifted.plan).toMatchObject([{ drift: ["digest: it is gone from the registry"] }]);
  await expect(stack.up(program)).rejects.toMatchObject({ ...missing, message: expect.stringContaining(digest) });
  await push("gone", "v1");
  await stack.up(program);
  await expect(stack.up(program)).resolves.toMatchObject({ changes: { same: 1 } });
});

test.each([
  ["another label", { labels: { version: "v9" } }, 'the label version is "v1" for linux/amd64, not "v9"'],
  ["no such label", { labels: { owner: "me" } }, 'the label owner is missing for linux/amd64, not "me"'],
  ["another platform", { platforms: ["linux/arm64"] }, "it is not for linux/arm64 but for linux/amd64"],
])("%s is refused with the reason, and no tag is put", async (_what, expected: pulumi.Inputs, reason) => {
  const stack = await newStack();
  const inputs = { repository: repository("strict"), digest: await push("strict", "v1"), tag: "live", ...expected };
  const refused = stack.up(hostProgram(token, inputs));
  await expect(refused).rejects.toMatchObject({ ...missing, message: expect.stringContaining(reason) });
  await expect(client.resolveDigest(at("strict", ":live"))).rejects.toMatchObject(missing);
});

test("retain: false withdraws it on destroy, unless a host needs it or cannot be asked", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  const digest = await push("brief", "v1");
  const there = (): Promise<string> => client.resolveDigest(at("brief", `@${digest}`));
  const program = hostProgram(token, { repository: repository("brief"), digest, retain: false });
  const warnings: string[] = [];
  const onEvent = (event: EngineEvent): void => void warnings.push(JSON.stringify(event));

  await stack.up(program);
  agent.needed.add(`${repository("brief")}@${digest}`);
  await stack.run("destroy", () => Promise.resolve({}), { onEvent });
  expect(warnings.join("\n")).toContain("vps1 runs it or can be rolled back to it");
  await expect(there()).resolves.toBe(digest);

  await stack.up(program);
  agent.needed.clear();
  agent.installed = undefined;
  await stack.run("destroy", () => Promise.resolve({}), { onEvent });
  expect(warnings.join("\n")).toContain("vps1 cannot be asked");
  await expect(there()).resolves.toBe(digest);

  agent.installed = { httpPort: 80, httpsPort: 443, networkPool: "10.210.0.0/16", imageBudgetGb: 10 };
  await stack.up(program);
  await stack.destroy();
  await expect(there()).rejects.toMatchObject(missing);
});

test("an image that another resource of the program stands for now is not withdrawn", async () => {
  const stack = await newStack();
  const digest = await push("renamed", "v1");
  const inputs = { repository: repository("renamed"), digest, retain: false };
  const named =
    (name: string): Program =>
    () => {
      new AnyResource(token, name, inputs, new IkomaHost("vps1", hostAddress));
      return Promise.resolve({});
    };
  await stack.up(named("old"));
  await expect(stack.up(named("new"))).resolves.toMatchObject({ changes: { create: 1, delete: 1 } });
  await expect(client.resolveDigest(at("renamed", `@${digest}`))).resolves.toBe(digest);
});

test("a registry that is down holds up nothing that is known, and offline it is not asked", async () => {
  const stack = await newStack();
  const inputs = { repository: repository("up"), digest: await push("up", "v1") };
  await stack.up(hostProgram(token, inputs));
  await registry[Symbol.asyncDispose]();

  const events: string[] = [];
  const onEvent = (event: EngineEvent): void => void events.push(JSON.stringify(event));
  await expect(stack.up(hostProgram(token, inputs), { onEvent })).resolves.toMatchObject({ changes: { same: 1 } });
  expect(events.join("\n")).toContain("not checked: The registry");

  const other = { repository: repository("up"), digest: `sha256:${"0".repeat(64)}` };
  await expect(stack.up(hostProgram(token, other))).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
  await stack.up(hostProgram(token, { ...other, isRollback: true }), { onEvent });
  expect(events.join("\n")).toContain("not checked, and the rollback goes on: The registry");
  await stack.up(hostProgram(token, { ...inputs, isRollback: true }));

  events.length = 0;
  const offline = { onEvent, env: { ...stack.env, IKOMA_OFFLINE: "1" } };
  await expect(stack.preview(hostProgram(token, inputs), offline)).resolves.toMatchObject({ changes: { same: 1 } });
  expect(events.join("\n")).not.toContain("not checked");
  expect(events.join("\n")).toContain("drift unknown");
  registry = await startLocalRegistry();
});
