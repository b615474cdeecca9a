import { expect, test } from "@jest/globals";
import { loadHostsConfig } from "../config/load.ts";
import { demandOf, isSignatureRequired, signaturePolicy, type SignatureDemand } from "./signature-policy.ts";
import { createKeyPair } from "./signing-key.ts";

const { publicKeyPem, privateKeyPem } = createKeyPair();
const keys = { ci: publicKeyPem };

test.each<[string, object | undefined, SignatureDemand | undefined, boolean]>([
  ["no policy", undefined, undefined, false],
  ["a policy without keys", {}, undefined, false],
  ["keys", { keys }, undefined, true],
  ["keys, and nobody has to sign yet", { keys, required: false }, undefined, false],
  ["the same, and an app that asks where there are keys", { keys, required: false }, "with-keys", true],
  ["the same, and an app that asks in any case", { keys, required: false }, "always", true],
  ["no policy, and an app that asks where there are keys", undefined, "with-keys", false],
  ["no policy, and an app that asks in any case", undefined, "always", true],
])("%s", (_what, policy, demand, isRequired) => {
  expect(isSignatureRequired(policy && signaturePolicy.parse(policy), demand)).toBe(isRequired);
});

test("an app asks by its own setting, and in prod by itself once there are keys", () => {
  expect(demandOf("prod", undefined)).toBe("with-keys");
  expect(demandOf("preprod", undefined)).toBeUndefined();
  expect(demandOf("preprod", true)).toBe("always");
  expect(demandOf("prod", false)).toBeUndefined();
});

function load(signatures: unknown) {
  return loadHostsConfig({
    "ikoma:hosts": JSON.stringify({ vps1: { address: "192.0.2.1", hostKey: "ssh-ed25519 AAAA" } }),
    "ikoma:setup": JSON.stringify({ vps1: { signatures } }),
  });
}

test("the stack hosts names the keys of a host", () => {
  expect(load({ keys }).setup["vps1"]?.signatures).toEqual({ keys });
  expect(load(undefined).setup["vps1"]?.signatures).toBeUndefined();
});

test.each([
  ["a private key", { keys: { ci: privateKeyPem } }, "ikoma:setup.vps1.signatures.keys.ci"],
  ["no key at all", { keys: { ci: "hello" } }, "a public key in PEM"],
  ["a policy that nothing could meet", { required: true }, "name the keys"],
  ["a setting that there is not", { key: "x" }, 'did you mean "keys"'],
])("%s is refused where it stands", (_what, signatures, message) => {
  expect(() => load(signatures)).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(message) }),
  );
});
