import { createPrivateKey } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { imageOf, run, webPort } from "../../../../test/doubles/host/inputs.ts";
import { bundleArtifact } from "../../../core/bundle/artifact.ts";
import { bundleManifest, type BundleManifest } from "../../../core/bundle/manifest.ts";
import { keptSecretMarker } from "../../../core/release/kept-secrets.ts";
import { imagesOf, resolveAccessories, resolveRelease } from "../../../core/release/resolve-release.ts";
import { proofOf } from "../../../core/signing/bundle-proof.ts";
import { signDigest } from "../../../core/signing/bundle-signature.ts";
import { createKeyPair } from "../../../core/signing/signing-key.ts";
import { operations, type OperationView } from "../../protocol/operations.ts";
import { readPart } from "../../reading/read-parts.ts";
import { OperationRunner } from "../operation-runner.ts";

const pairs = { ci: createKeyPair(), ops: createKeyPair(), stranger: createKeyPair() };
type Signer = keyof typeof pairs;

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  await on.dispose();
});

/** From now on the host trusts these. */
function trust(names: readonly Signer[], required?: boolean): void {
  const keys = Object.fromEntries(names.map((name) => [name, pairs[name].publicKeyPem]));
  on.host.settings = { ...on.host.settings, signatures: { keys, ...(required !== undefined && { required }) } };
}

/** A bundle of a web service and a database; the host can have its images. */
function aBundle(name: string): BundleManifest {
  on.engine.images.set(imageOf(name), { ports: [webPort] });
  on.engine.images.set(imageOf("db"), {});
  return bundleManifest.parse({
    apiVersion: "ikoma.dev/v1",
    kind: "Bundle",
    app: "shop",
    version: name,
    services: {
      web: {
        kind: "web",
        reason: "",
        definition: { image: imageOf(name), environment: { LEVEL: "${LEVEL:-info}", URL: "${PW:-none}" } },
      },
      db: {
        kind: "accessory",
        reason: "",
        definition: { image: imageOf("db"), command: ["${LEVEL:-info}"], healthcheck: { test: "true" } },
      },
    },
    routes: [{ path: "/", service: "web", port: webPort }],
    health: { timeoutSeconds: 3 },
    drainSeconds: 0,
  });
}

interface Asked {
  readonly signedBy?: readonly Signer[];
  readonly env?: Record<string, string>;
  readonly secrets?: Record<string, string>;
  /** Fields of the operation's input that are others. */
  readonly more?: object;
}

const digestOf = (manifest: BundleManifest): string => bundleArtifact(manifest).digest;

function stageInput(manifest: BundleManifest, { signedBy = [], more = {} }: Asked = {}) {
  const { digest, document } = bundleArtifact(manifest);
  const signatures = signedBy.map((name) => signDigest(digest, "shop", createPrivateKey(pairs[name].privateKeyPem)));
  const proof = proofOf({ digest, document, signatures });
  const images = imagesOf(manifest, manifest);
  return { app: "shop", bundle: digest, images, ...(proof && { proofs: [proof] }), ...more };
}

function stage(manifest: BundleManifest, asked: Asked = {}): Promise<OperationView> {
  return run(runner, "bundle.stage", stageInput(manifest, asked));
}

/** Settings and values as the program has them. */
function resolution({ env = {}, secrets = {} }: Asked) {
  return { settings: { app: "shop", stack: "prod", env, secretNames: Object.keys(secrets) }, values: secrets };
}

function release(manifest: BundleManifest, asked: Asked = {}): Promise<OperationView> {
  const { settings, values } = resolution(asked);
  const spec = {
    ...resolveRelease(manifest, settings, (_names, compute) => compute(values)),
    bundle: digestOf(manifest),
  };
  const kept = Object.entries(values).filter(([name, value]) => value !== keptSecretMarker(name));
  const input = { spec, source: { env: asked.env ?? {} }, bake: { seconds: 0 }, secrets: Object.fromEntries(kept) };
  return run(runner, "release.apply", operations["release.apply"].input.parse({ ...input, ...asked.more }));
}

function accessories(manifest: BundleManifest, asked: Asked = {}): Promise<OperationView> {
  const { settings, values } = resolution(asked);
  const spec = resolveAccessories(manifest, settings, (_names, compute) => compute(values));
  const origin = { bundle: digestOf(manifest), env: asked.env ?? {}, secrets: values };
  return run(runner, "accessories.apply", operations["accessories.apply"].input.parse({ spec, origin, ...asked.more }));
}

const good = { state: "succeeded" };
const refusal = (code: string, message: RegExp) => ({
  state: "failed",
  error: { code, message: expect.stringMatching(message) },
});
const unsigned = refusal("BUNDLE_UNSIGNED", /is not signed; this host asks for a signature by ci\.$/);

const containers = (): string[] => [...on.engine.containers.keys()].sort();

describe("a host without keys", () => {
  test("takes what nobody has signed", async () => {
    const v1 = aBundle("v1");
    expect([await stage(v1), await accessories(v1), await release(v1)]).toMatchObject([good, good, good]);
  });

  test("but not for an app that asks for signatures in any case", async () => {
    const v1 = aBundle("v1");
    const asked = { signedBy: ["ci"], more: { requireSignature: "always" } } as const;
    expect(await stage(v1, asked)).toMatchObject(refusal("BUNDLE_SIGNATURE_INVALID", /this host knows no key/));
    expect(await stage(v1, { more: { requireSignature: "with-keys" } })).toMatchObject(good);
  });
});

describe("a host that trusts a key", () => {
  beforeEach(() => {
    trust(["ci"]);
  });

  test("takes what that key has signed, with the values of the environment", async () => {
    const v1 = aBundle("v1");
    const values = { env: { LEVEL: "debug" }, secrets: { PW: "pa$$word" } };
    const operationsDone = [
      await stage(v1, { signedBy: ["stranger", "ci"] }),
      await accessories(v1, values),
      await release(v1, values),
      await release(v1, { env: { LEVEL: "warn" } }),
    ];
    expect(operationsDone).toMatchObject([good, good, good, good]);
  });

  test("refuses the unsigned at each step, and brings nothing here", async () => {
    const v1 = aBundle("v1");
    on.engine.images.clear();
    on.engine.pullable.set(imageOf("v1"), {});
    expect(await stage(v1)).toMatchObject(unsigned);
    expect(on.engine.images.size).toBe(0);
    expect(await accessories(v1)).toMatchObject(unsigned);
    expect(await release(v1)).toMatchObject(unsigned);
    expect(containers()).toEqual([]);
    expect(on.host.deployments.history("shop", 9)).toEqual([]);
  });

  test("says why signatures may be missing", async () => {
    const asked = { more: { signatureProblem: "The registry cannot be reached." } };
    expect(await stage(aBundle("v1"), asked)).toMatchObject(
      refusal("BUNDLE_UNSIGNED", /read: The registry cannot be reached\.$/),
    );
  });

  test("refuses what somebody else has signed, or what was signed as another bundle", async () => {
    const [v1, v2] = [aBundle("v1"), aBundle("v2")];
    expect(await stage(v1, { signedBy: ["stranger"] })).toMatchObject(
      refusal("BUNDLE_SIGNATURE_INVALID", /one by SHA256:\S+ does not fit any key/),
    );
    const copied = stageInput(v2, { signedBy: ["ci"] }).proofs?.map((proof) => ({ ...proof, bundle: digestOf(v1) }));
    expect(await stage(v1, { more: { proofs: copied } })).toMatchObject(
      refusal("BUNDLE_SIGNATURE_INVALID", /the one by ci is for sha256:\S+, not for this bundle/),
    );
  });

  test("refuses a document that is not the one that was signed", async () => {
    const [v1, v2] = [aBundle("v1"), aBundle("v2")];
    const document = stageInput(v2, { signedBy: ["ci"] }).proofs?.[0]?.document;
    const proofs = stageInput(v1, { signedBy: ["ci"] }).proofs?.map((proof) => ({ ...proof, document }));
    expect(await stage(v1, { more: { proofs } })).toMatchObject(refusal("BUNDLE_SIGNATURE_INVALID", /was changed/));
    const garbage = proofs?.map((proof) => ({ ...proof, document: Buffer.from("hello").toString("base64") }));
    expect(await stage(v1, { more: { proofs: garbage } })).toMatchObject(
      refusal("BUNDLE_SIGNATURE_INVALID", /cannot be unpacked/),
    );
  });

  test("refuses images that are in no signed bundle", async () => {
    on.engine.pullable.set(imageOf("miner"), {});
    const v1 = aBundle("v1");
    const images = [...imagesOf(v1, v1), imageOf("miner")];
    expect(await stage(v1, { signedBy: ["ci"], more: { images } })).toMatchObject(
      refusal("BUNDLE_SIGNATURE_INVALID", /miner@sha256:\S+ is in no signed bundle of shop/),
    );
    expect(on.engine.images.has(imageOf("miner"))).toBe(false);
  });

  test("refuses a release or long-lived services that are not what the signed bundle says", async () => {
    const [v1, v2] = [aBundle("v1"), aBundle("v2")];
    await stage(v1, { signedBy: ["ci"] });
    await accessories(v1);
    await release(v1);
    const before = containers();
    const spec = { ...resolveRelease(v2, resolution({}).settings, () => ""), bundle: digestOf(v1) };
    expect(await release(v1, { more: { spec } })).toMatchObject(
      refusal("BUNDLE_SIGNATURE_INVALID", /not what was signed.*services\.web\.image, version/),
    );
    const healthcheck = { test: "true" };
    const db = { kind: "accessory", image: imageOf("db"), command: ["info"], healthcheck, privileged: true };
    expect(await accessories(v1, { more: { spec: { app: "shop", services: { db } } } })).toMatchObject(
      refusal("BUNDLE_SIGNATURE_INVALID", /services\.db\.privileged/),
    );
    expect(
      await accessories(v2, { more: { origin: undefined, spec: { app: "shop", services: { db } } } }),
    ).toMatchObject(refusal("BUNDLE_UNSIGNED", /are of no signed bundle/));
    expect(containers()).toEqual(before);
  });

  test("refuses a value that did not come along by its name", async () => {
    const v1 = aBundle("v1");
    await stage(v1, { signedBy: ["ci"] });
    expect(await release(v1, { secrets: { PW: "pa$$word" }, more: { secrets: {} } })).toMatchObject(
      refusal("BUNDLE_SIGNATURE_INVALID", /services\.web\.environment\.URL/),
    );
  });

  test("and has it come again where a lost ledger has forgotten who signed it", async () => {
    const v1 = aBundle("v1");
    const expected = { ...stageInput(v1), signatures: ["SHA256:x (1)"] };
    await stage(v1, { signedBy: ["ci"], more: { signatures: expected.signatures } });
    expect((await readPart(on.host, "shop", "bundle", expected)).drift).toEqual([]);
    on.host.parts.set("shop", "bundle", { app: "shop", bundle: digestOf(v1), images: imagesOf(v1, v1) });
    expect((await readPart(on.host, "shop", "bundle", expected)).drift).toMatchObject([{ path: "signatures" }]);
  });

  test("puts secrets that it keeps into a signed release", async () => {
    const v1 = aBundle("v1");
    await stage(v1, { signedBy: ["ci"] });
    await release(v1, { secrets: { PW: "old" } });
    await release(v1, { secrets: { PW: "new" } });
    const back = { secrets: { PW: keptSecretMarker("PW") }, more: { secretsOf: 1, rollbackTo: 1 } };
    expect(await release(v1, back)).toMatchObject({ state: "succeeded", result: { number: 3 } });
    expect(on.engine.named("shop-3-web-1")?.Config.Env).toContain("URL=old");
  });
});

describe("when a host begins to ask for signatures", () => {
  test("what it serves is repaired and gone back to, just as it was; anything else needs a signature", async () => {
    const [v1, v2] = [aBundle("v1"), aBundle("v2")];
    for (const each of [v1, v2])
      expect([await stage(each), await accessories(each), await release(each)]).toMatchObject([good, good, good]);
    trust(["ci"]);
    expect(await stage(v2)).toMatchObject(good);
    expect(await release(v2)).toMatchObject({ state: "succeeded", result: { unchanged: true } });
    expect(await accessories(v2)).toMatchObject(good);
    expect(await release(v2, { env: { LEVEL: "debug" } })).toMatchObject(unsigned);
    expect(await accessories(v2, { env: { LEVEL: "debug" } })).toMatchObject(unsigned);

    expect(await stage(v1)).toMatchObject(good);
    const otherwise = await release(v1, { env: { LEVEL: "debug" }, more: { rollbackTo: 1 } });
    expect(otherwise).toMatchObject({ error: { hint: expect.stringContaining("rollback --with-secrets") } });
    const back = await release(v1, { more: { rollbackTo: 1 } });
    expect(back).toMatchObject({ state: "succeeded", result: { number: 3, unchanged: false } });
    const told: string[] = [];
    await runner.attach(back.key, 0, ({ name, message }) => told.push(`${name} ${message}`));
    expect(told).toContain(
      "signature no signature that counts; let through because this host has served just this before",
    );
  });

  test("a plan is told before, and a bundle that ran is not enough for one that is deployed anew", async () => {
    const v1 = aBundle("v1");
    for (const step of [stage, accessories, release]) await step(v1);
    trust(["ci"]);
    const { admitStage } = await import("./admission.ts");
    const input = operations["bundle.stage"].input.parse(stageInput(v1));
    await expect(admitStage(on.host, input, false)).rejects.toMatchObject({ code: "BUNDLE_UNSIGNED" });
    await expect(admitStage(on.host, input, true)).resolves.toBeUndefined();
  });
});

test("a changed key is followed at the next change, and stops nothing that runs", async () => {
  const v1 = aBundle("v1");
  trust(["ci"]);
  await stage(v1, { signedBy: ["ci"] });
  await release(v1);
  trust(["ops"]);
  expect(await release(v1)).toMatchObject({ state: "succeeded", result: { unchanged: true } });
  expect(await release(v1, { env: { LEVEL: "debug" } })).toMatchObject(
    refusal("BUNDLE_SIGNATURE_INVALID", /No signature/),
  );
  expect(await stage(v1, { signedBy: ["ci", "ops"] })).toMatchObject(good);
  expect(await release(v1, { env: { LEVEL: "debug" } })).toMatchObject(good);
});

test("where signatures are not asked for yet, one that does not count is told and let be", async () => {
  trust(["ci"], false);
  const staged = await stage(aBundle("v1"), { signedBy: ["stranger"] });
  expect(staged).toMatchObject(good);
  const told: string[] = [];
  await runner.attach(staged.key, 0, ({ type, message }) => told.push(`${type} ${message}`));
  expect(told).toContainEqual(expect.stringMatching(/^warning no signature of the bundle counts/));
  expect(await stage(aBundle("v2"), { more: { requireSignature: "with-keys" } })).toMatchObject(
    refusal("BUNDLE_UNSIGNED", /asks for a signature by ci/),
  );
});
