import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseImageReference } from "../adapters/registry/image-reference.ts";
import { startLocalRegistry } from "../../../test/rigs/registry.ts";
import type { LocalRegistry } from "../../../test/rigs/registry.ts";
import { RegistryClient } from "../adapters/registry/registry-client.ts";
import { bundleArtifact, ociManifestType } from "./artifact.ts";
import { pushBundle, readBundle, writeBundleFile } from "./bundle-store.ts";
import { bundleManifest } from "./manifest.ts";
import type { BundleManifest } from "./manifest.ts";

const cacheHome = process.env.XDG_CACHE_HOME;
let folder = "";
let registry: LocalRegistry;

beforeAll(async () => {
  registry = await startLocalRegistry();
});

beforeEach(async () => {
  if (folder !== "") await rm(folder, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), "ikoma-store-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache");
});

afterAll(async () => {
  if (cacheHome === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = cacheHome;
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const image = `127.0.0.1:1/shop@sha256:${"1".repeat(64)}`;
const bundle = (more: Record<string, unknown> = {}): BundleManifest => {
  return bundleManifest.parse({
    apiVersion: "ikoma.dev/v1",
    kind: "Bundle",
    app: "shop",
    version: "v1.0+build.5",
    services: { web: { kind: "web", reason: "built here", definition: { image, environment: { A: "${A}" } } } },
    routes: [{ path: "/", service: "web", port: 3000 }],
    ...more,
  });
};
const emptyCache = (): Promise<void> => rm(join(folder, "cache"), { recursive: true });

test("a bundle has one digest, in a file and in a registry, and comes back as it was", async () => {
  const pushed = await pushBundle(bundle(), `${registry.address}/team/shop-bundle`);
  const written = await writeBundleFile(bundle(), join(folder, "shop.bundle.json"));
  const { digest, document } = bundleArtifact(bundle());
  expect(pushed).toBe(`${registry.address}/team/shop-bundle@${digest}`);
  expect(written).toBe(`${join(folder, "shop.bundle.json")}@${digest}`);
  await emptyCache();
  const byTag = await readBundle(`${registry.address}/team/shop-bundle:v1.0-build.5`);
  await emptyCache();
  const fromFile = await readBundle(join(folder, "shop.bundle.json"));
  expect(byTag).toEqual({ manifest: bundle(), digest, document, reference: pushed });
  expect(fromFile).toEqual({ manifest: bundle(), digest, document, reference: written });
});

test("pushing the same bundle again changes nothing, a changed one has another digest", async () => {
  const target = `${registry.address}/team/again:latest`;
  const first = await pushBundle(bundle(), target);
  await expect(pushBundle(bundle(), target)).resolves.toBe(first);
  await expect(pushBundle(bundle({ drainSeconds: 3 }), target)).resolves.not.toBe(first);
  await expect(readBundle(first)).resolves.toMatchObject({ manifest: bundle() });
});

test("one that is pinned and was seen before is read without asking anybody", async () => {
  const { digest, document } = bundleArtifact(bundle());
  await writeBundleFile(bundle(), join(folder, "shop.bundle.json"));
  const gone = `127.0.0.1:1/nobody/there@${digest}`;
  await expect(readBundle(gone)).resolves.toEqual({ manifest: bundle(), digest, document, reference: gone });
  await emptyCache();
  await expect(readBundle(gone)).rejects.toMatchObject({ code: "REGISTRY_UNREACHABLE" });
});

test("a damaged cache entry is read anew", async () => {
  const reference = await pushBundle(bundle(), `${registry.address}/team/cached:v1`);
  const directory = join(folder, "cache", "ikoma", "bundles");
  const [entry = ""] = await readdir(directory);
  await writeFile(join(directory, entry), (await readFile(join(directory, entry), "utf8")).replace("shop", "evil"));
  await expect(readBundle(reference)).resolves.toMatchObject({ manifest: { app: "shop" } });
});

test("a file that was edited no longer has the digest it is asked for by", async () => {
  const path = join(folder, "shop.bundle.json");
  const reference = await writeBundleFile(bundle(), path);
  await emptyCache();
  await writeFile(path, (await readFile(path, "utf8")).replace('"port":3000', '"port":3001'));
  await expect(readBundle(reference)).rejects.toMatchObject({
    code: "BUNDLE_INVALID",
    message: expect.stringContaining("was changed"),
  });
});

test.each([
  ["white space", (text: string) => JSON.stringify(JSON.parse(text), null, 2)],
  [
    "keys in another order",
    (text: string) =>
      text.replace('{"apiVersion":"ikoma.dev/v1",', "{").replace(/\}\n$/, ',"apiVersion":"ikoma.dev/v1"}\n'),
  ],
  ["half a file", (text: string) => text.slice(0, 200)],
  ["a key that bundles do not have", (text: string) => text.replace(/\}\n$/, ',"zzz":1}\n')],
  ["a route to nowhere", (text: string) => text.replace('"service":"web"', '"service":"api"')],
])("a file with %s is refused", async (_, edit) => {
  const path = join(folder, "shop.bundle.json");
  await writeBundleFile(bundle(), path);
  await writeFile(path, edit(await readFile(path, "utf8")));
  await expect(readBundle(path)).rejects.toMatchObject({ code: "BUNDLE_INVALID" });
});

test("a document that was not made by this program is refused, though the registry has it", async () => {
  const client = new RegistryClient();
  const target = parseImageReference(`${registry.address}/team/evil:v1`);
  const { ociManifest } = bundleArtifact(bundle());
  const evil = Buffer.from(`${bundleArtifact(bundle({ app: "evil" })).document} `);
  await client.putBlob(target, evil);
  await client.putBlob(target, Buffer.from("{}"));
  const { layers } = JSON.parse(ociManifest) as { layers: [{ digest: string }] };
  const { createHash } = await import("node:crypto");
  const swapped = ociManifest
    .replace(layers[0].digest, `sha256:${createHash("sha256").update(evil).digest("hex")}`)
    .replace(/"size":\d+(?=\}\])/, `"size":${evil.byteLength}`);
  await client.putManifest(target, ociManifestType, Buffer.from(swapped));
  await expect(readBundle(`${registry.address}/team/evil:v1`)).rejects.toMatchObject({ code: "BUNDLE_INVALID" });
});

test("an image is not a bundle", async () => {
  const client = new RegistryClient();
  const target = parseImageReference(`${registry.address}/team/image:v1`);
  await client.putBlob(target, Buffer.from("{}"));
  const { ociManifest } = bundleArtifact(bundle());
  const { config } = JSON.parse(ociManifest) as { config: unknown };
  const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType: ociManifestType, config, layers: [] });
  await client.putManifest(target, ociManifestType, Buffer.from(imageManifest));
  await expect(readBundle(`${registry.address}/team/image:v1`)).rejects.toThrow("is not a release bundle");
});

test("what is not there is BUNDLE_NOT_FOUND", async () => {
  const missing = { code: "BUNDLE_NOT_FOUND" };
  await expect(readBundle(join(folder, "none.json"))).rejects.toMatchObject(missing);
  await expect(readBundle(`${registry.address}/team/none:v1`)).rejects.toMatchObject(missing);
  await expect(readBundle("not a reference")).rejects.toMatchObject({ code: "USAGE" });
});

/** The same value with the keys of every object in another order. */
function shuffled(value: unknown, order: (a: string, b: string) => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, order));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => order(a, b));
  return Object.fromEntries(entries.map(([key, each]) => [key, shuffled(each, order)]));
}

const definition = fc.dictionary(fc.stringMatching(/^[a-z_0-9]{1,8}$/), fc.jsonValue({ depthSize: "small" }), {
  maxKeys: 5,
});

test("the digest does not depend on the order of keys, and the document holds the bundle whole", () => {
  fc.assert(
    fc.property(definition, (settings) => {
      const original = bundle({
        services: { web: { kind: "web", reason: "r", definition: { ...settings, environment: {}, image } } },
      });
      const turned = shuffled(original, (a, b) => (a < b ? 1 : -1)) as BundleManifest;
      expect(bundleArtifact(turned).digest).toBe(bundleArtifact(original).digest);
      const back = bundleManifest.parse(JSON.parse(bundleArtifact(original).document));
      expect(back).toEqual(JSON.parse(JSON.stringify(original)));
    }),
  );
});

test("any change of a value changes the digest", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      fc.pre(one !== other);
      const digestOf = (value: string): string => {
        const service = { kind: "web", reason: "r", definition: { image, environment: { X: value } } };
        return bundleArtifact(bundle({ services: { web: service } })).digest;
      };
      expect(digestOf(one)).not.toBe(digestOf(other));
    }),
  );
});

test("the digest of a bundle stays what it is from version to version of this program", () => {
  expect(bundleArtifact(bundle()).digest).toMatchInlineSnapshot(
    `"sha256:480d23865f4bb5ec48a9faa3eda0f2d55cfdaa343430b182a8d9a25d320cd27b"`,
  );
});
