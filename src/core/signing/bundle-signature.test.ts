import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { findSigners, isSignedBy, signatureLabel, signDigest, type BundleSignature } from "./bundle-signature.ts";
import { createKeyPair } from "./signing-key.ts";

const digest = `sha256:${"1".repeat(64)}`;
const other = `sha256:${"2".repeat(64)}`;
const [ci, ops] = [createKeyPair(), createKeyPair()];
const keys = { ci: ci.publicKeyPem, ops: ops.publicKeyPem };
const by = (pair: { privateKeyPem: string }, what = digest): BundleSignature =>
  signDigest(what, "registry.example/shop-bundle", createPrivateKey(pair.privateKeyPem));

test("who has signed is told by the names of the keys, each once", () => {
  expect(findSigners(digest, [by(ci), by(ops), by(ci)], keys)).toEqual({ signers: ["ci", "ops"], refused: [] });
  expect(findSigners(digest, [], keys)).toEqual({ signers: [], refused: [] });
});

test("a signature of another bundle counts for nothing, and says of which", () => {
  expect(findSigners(digest, [by(ci, other)], keys)).toEqual({
    signers: [],
    refused: [`the one by ci is for ${other}, not for this bundle`],
  });
});

test("nor does one by a key that nobody trusts, whatever it calls itself", () => {
  const stranger = by(createKeyPair());
  const pretending = { ...by(createKeyPair()), payload: by(ci).payload };
  expect(findSigners(digest, [stranger, pretending], keys)).toMatchObject({ signers: [], refused: { length: 2 } });
  expect(findSigners(digest, [by(ci)], { ops: keys.ops }).refused).toEqual([
    expect.stringMatching(/^one by SHA256:\S{43} does not fit any key that is trusted$/),
  ]);
});

test("one that counts is enough, whatever lies beside it", () => {
  expect(findSigners(digest, [by(createKeyPair()), by(ci, other), by(ops)], keys).signers).toEqual(["ops"]);
});

test("not a bit of a signature or of what it is for can be changed", () => {
  const { payload, signature } = by(ci);
  fc.assert(
    fc.property(fc.constantFrom("payload", "signature"), fc.nat(), fc.integer({ min: 0, max: 7 }), (part, at, bit) => {
      const bytes = Buffer.from(part === "payload" ? payload : signature, "base64");
      const index = at % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
      const changed = { payload, signature, [part]: bytes.toString("base64") };
      expect(findSigners(digest, [changed], keys).signers).toEqual([]);
    }),
  );
});

test("what cosign's format says is what is signed, and a claim of the key", () => {
  expect(JSON.parse(Buffer.from(by(ci).payload, "base64").toString())).toEqual({
    critical: {
      identity: { "docker-reference": "registry.example/shop-bundle" },
      image: { "docker-manifest-digest": digest },
      type: "cosign container image signature",
    },
    optional: { "ikoma.key": expect.stringMatching(/^SHA256:/) },
  });
});

test("a trusted key's signature of some other text is none of a bundle", () => {
  const { signature } = by(ci);
  const text = Buffer.from(`{"image":"${digest}"}`).toString("base64");
  expect(findSigners(digest, [{ payload: text, signature }], keys).signers).toEqual([]);
  expect(signatureLabel({ payload: text, signature })).toMatch(/^a key that is not named \([0-9a-f]{8}\)$/);
});

test("Ed25519 keys do as well", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const signed = signDigest(digest, "shop", privateKey);
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  expect(findSigners(digest, [signed], { hardware: pem }).signers).toEqual(["hardware"]);
  expect(isSignedBy(digest, [signed], privateKey)).toBe(true);
  expect(isSignedBy(digest, [by(ci)], privateKey)).toBe(false);
});
