import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createPrivateKey } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalRegistry, type LocalRegistry } from "../../../test/rigs/registry.ts";
import { parseImageReference } from "../adapters/registry/image-reference.ts";
import { RegistryClient } from "../adapters/registry/registry-client.ts";
import { pushBundle, writeBundleFile } from "../bundle/bundle-store.ts";
import { bundleManifest } from "../bundle/manifest.ts";
import { findSigners } from "./bundle-signature.ts";
import { requireSigner } from "./require-signer.ts";
import { signBundle } from "./sign-bundle.ts";
import { prefetchSignatures, readSignatures } from "./signature-store.ts";
import { createKeyPair } from "./signing-key.ts";

const cacheHome = process.env.XDG_CACHE_HOME;
let folder = "";
let registry: LocalRegistry;
let count = 0;

beforeAll(async () => {
  registry = await startLocalRegistry();
});

beforeEach(async () => {
  if (folder !== "") await rm(folder, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), "ikoma-signatures-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache");
});

afterAll(async () => {
  if (cacheHome === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cacheHome;
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const pairs = { ci: createKeyPair(), ops: createKeyPair() };
const keys = { ci: pairs.ci.publicKeyPem, ops: pairs.ops.publicKeyPem };
const keyOf = (name: keyof typeof pairs) => createPrivateKey(pairs[name].privateKeyPem);
const digestOf = (reference: string): string => reference.split("@")[1] ?? "";
const emptyCache = () => rm(join(folder, "cache"), { recursive: true, force: true });

interface Signed {
  layers: { annotations: Record<string, string> }[];
}

/** One that nobody has seen before. */
function aBundle() {
  count += 1;
  const image = `127.0.0.1:1/shop@sha256:${"1".repeat(64)}`;
  const services = { web: { kind: "web", reason: "", definition: { image } } };
  return bundleManifest.parse({
    apiVersion: "ikoma.dev/v1",
    kind: "Bundle",
    app: "shop",
    version: `v${count}`,
    services,
  });
}

async function signersOf(reference: string): Promise<readonly string[]> {
  const { signatures } = await readSignatures(reference);
  return findSigners(digestOf(reference), signatures, keys).signers;
}

test("signatures are kept in the bundle's repository, one for each key", async () => {
  const reference = await pushBundle(aBundle(), `${registry.address}/team/shop-bundle`);
  expect(await readSignatures(reference)).toEqual({ signatures: [] });
  expect(await signBundle(reference, keyOf("ci"))).toMatchObject({ isNew: true });
  expect(await signBundle(reference, keyOf("ops"))).toMatchObject({ isNew: true });
  expect(await signBundle(reference, keyOf("ci"))).toMatchObject({ isNew: false });
  await emptyCache();
  expect(await signersOf(reference)).toEqual(["ci", "ops"]);
  expect((await readSignatures(reference)).signatures).toHaveLength(2);
});

test("they are where cosign looks, in the form that it has", async () => {
  const reference = await pushBundle(aBundle(), `${registry.address}/team/shop-bundle`);
  await signBundle(reference, keyOf("ci"));
  const tag = `${digestOf(reference).replace(":", "-")}.sig`;
  const image = parseImageReference(`${registry.address}/team/shop-bundle:${tag}`);
  const client = new RegistryClient();
  const stored = await client.manifest(image);
  const manifest = JSON.parse(Buffer.from(stored.content).toString()) as {
    config: { digest: string };
    layers: unknown[];
  };
  expect(manifest).toMatchObject({
    schemaVersion: 2,
    config: { mediaType: "application/vnd.oci.image.config.v1+json" },
    layers: [
      {
        mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
        annotations: { "dev.cosignproject.cosign/signature": expect.stringMatching(/^[A-Za-z0-9+/=]+$/) },
      },
    ],
  });
  expect(JSON.parse(Buffer.from(await client.blob(image, manifest.config.digest)).toString())).toMatchObject({
    rootfs: { type: "layers", diff_ids: [expect.stringMatching(/^sha256:/)] },
  });
});

test("what cosign has written with its own leaves as it is", async () => {
  const place = `${registry.address}/team/shop-bundle`;
  const reference = await pushBundle(aBundle(), place);
  await signBundle(reference, keyOf("ci"));
  const tag = parseImageReference(`${place}:${digestOf(reference).replace(":", "-")}.sig`);
  const client = new RegistryClient();
  const read = async () => {
    const stored = await client.manifest(tag);
    return { mediaType: stored.mediaType, ...(JSON.parse(Buffer.from(stored.content).toString()) as Signed) };
  };
  const { mediaType, ...manifest } = await read();
  const own = manifest.layers.map((layer) => ({
    ...layer,
    annotations: { ...layer.annotations, "dev.sigstore.cosign/certificate": "a certificate" },
  }));
  const foreign = { ...manifest.layers[0], mediaType: "application/vnd.of.somebody.else" };
  const layers = [...own, foreign];
  await client.putManifest(tag, mediaType, Buffer.from(JSON.stringify({ ...manifest, layers })));
  await signBundle(reference, keyOf("ops"));
  const after = await read();
  expect(after.layers.slice(0, 2)).toEqual(layers);
  expect(after.layers).toHaveLength(3);
  await emptyCache();
  expect(await signersOf(reference)).toEqual(["ci", "ops"]);
});

test("of a bundle in a file they are in a file beside it", async () => {
  const file = join(folder, "shop.bundle.json");
  const reference = await writeBundleFile(aBundle(), file);
  await signBundle(reference, keyOf("ci"));
  await signBundle(reference, keyOf("ops"));
  await emptyCache();
  expect(await signersOf(reference)).toEqual(["ci", "ops"]);
  expect(JSON.parse(await readFile(`${file}.sig`, "utf8"))).toMatchObject({ signatures: { length: 2 } });
});

test("another bundle in the same file has no part in them, and the first one keeps its own", async () => {
  const file = join(folder, "shop.bundle.json");
  const first = await writeBundleFile(aBundle(), file);
  await signBundle(first, keyOf("ci"));
  const second = await writeBundleFile(aBundle(), file);
  expect(await signersOf(second)).toEqual([]);
  await signBundle(second, keyOf("ops"));
  expect(await signersOf(second)).toEqual(["ops"]);
  expect(JSON.parse(await readFile(`${file}.sig`, "utf8"))).toMatchObject({ signatures: { length: 1 } });
  // Read from what was seen: a rollback asks for a bundle that is no longer in its file.
  expect(await signersOf(first)).toEqual(["ci"]);
});

test("a file of signatures that is none is told, and not written over", async () => {
  const file = join(folder, "shop.bundle.json");
  const reference = await writeBundleFile(aBundle(), file);
  await writeFile(`${file}.sig`, "hello");
  expect(await readSignatures(reference)).toMatchObject({ signatures: [], problem: expect.stringContaining(".sig") });
  await expect(signBundle(reference, keyOf("ci"))).rejects.toMatchObject({ code: "BUNDLE_SIGNATURE_INVALID" });
  expect(await readFile(`${file}.sig`, "utf8")).toBe("hello");
});

test("where the registry is away, those that were seen before do; without any the reason is told", async () => {
  const away = await startLocalRegistry();
  const signed = await pushBundle(aBundle(), `${away.address}/shop-bundle`);
  const unsigned = await pushBundle(aBundle(), `${away.address}/shop-bundle`);
  await signBundle(signed, keyOf("ci"));
  await away[Symbol.asyncDispose]();
  expect(await signersOf(signed)).toEqual(["ci"]);
  const { signatures, problem } = await readSignatures(unsigned);
  expect(signatures).toEqual([]);
  expect(problem).toMatch(/cannot be reached/);
  expect(() =>
    requireSigner({ reference: unsigned, digest: digestOf(unsigned), signatures, problem: problem ?? "" }, keys),
  ).toThrow(
    expect.objectContaining({ code: "BUNDLE_UNSIGNED", message: expect.stringContaining("cannot be reached") }),
  );
});

test("what was begun to be read is read once", async () => {
  const reference = await pushBundle(aBundle(), `${registry.address}/team/shop-bundle`);
  prefetchSignatures(reference);
  // Later than the reading that was begun: the next reading sees it, the begun one does not.
  const begun = readSignatures(reference);
  expect((await begun).signatures).toEqual([]);
  await signBundle(reference, keyOf("ci"));
  expect(await signersOf(reference)).toEqual(["ci"]);
});

test("a check names who may sign and what to do", () => {
  const check =
    (signatures: [], given = keys) =>
    () =>
      requireSigner({ reference: "shop@sha256:1", digest: "sha256:1", signatures }, given);
  expect(check([])).toThrow(expect.objectContaining({ code: "BUNDLE_UNSIGNED", details: { trusted: ["ci", "ops"] } }));
  expect(check([], {} as typeof keys)).toThrow(expect.objectContaining({ code: "USAGE" }));
});
