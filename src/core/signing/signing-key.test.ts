import { expect, test } from "@jest/globals";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { givenKey } from "./given-key.ts";
import { writeKeyFiles } from "./key-files.ts";
import { createKeyPair, fingerprintOf, parsePublicKey, readPrivateKey } from "./signing-key.ts";

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: "SIGNING_KEY_INVALID", exitCode: 3, message: expect.stringMatching(message) });

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-keys-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a pair has one fingerprint, from either half", () => {
  const { privateKeyPem, publicKeyPem } = createKeyPair();
  const key = parsePublicKey(publicKeyPem);
  if (key === undefined) throw new Error("the public half is no key");
  expect(fingerprintOf(key)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  expect(fingerprintOf(readPrivateKey(privateKeyPem, undefined, "ci.key"))).toBe(fingerprintOf(key));
  expect(key.asymmetricKeyDetails).toMatchObject({ namedCurve: "prime256v1" });
});

test("an encrypted key opens with its passphrase only", () => {
  const { privateKeyPem } = createKeyPair("open sesame");
  expect(privateKeyPem).toContain("BEGIN ENCRYPTED PRIVATE KEY");
  expect(() => createPrivateKey({ key: privateKeyPem, passphrase: "sesame" })).toThrow();
  expect(readPrivateKey(privateKeyPem, "open sesame", "ci.key").type).toBe("private");
  expect(() => readPrivateKey(privateKeyPem, "sesame", "ci.key")).toThrow(
    invalid(/^The key of ci\.key cannot be opened/),
  );
  expect(() => readPrivateKey(privateKeyPem, undefined, "ci.key")).toThrow(invalid(/encrypted, and no passphrase/));
});

test.each([
  [
    "an RSA key",
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }),
  ],
  [
    "a key of another curve",
    generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey.export({ type: "pkcs8", format: "pem" }),
  ],
  ["a public key", createKeyPair().publicKeyPem],
  [
    "a key in cosign's own format",
    "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n",
  ],
  ["no key", "hello"],
])("%s is nothing to sign with", (_what, pem) => {
  expect(() => readPrivateKey(pem.toString(), undefined, "ci.key")).toThrow(invalid(/no ECDSA P-256 or Ed25519 key/));
});

test("a private key is no public key: it would end up on every host", () => {
  expect(parsePublicKey(createKeyPair().privateKeyPem)).toBeUndefined();
  expect(parsePublicKey("hello")).toBeUndefined();
});

test("files of keys are new, and the private one is for nobody else", async () => {
  await inFolder(async (folder) => {
    const pair = createKeyPair();
    const files = await writeKeyFiles(join(folder, "ci"), pair);
    expect((await stat(files.privateFile)).mode & 0o777).toBe(0o600);
    expect(await readFile(files.publicFile, "utf8")).toBe(pair.publicKeyPem);
    await expect(writeKeyFiles(join(folder, "ci"), createKeyPair())).rejects.toMatchObject({ code: "USAGE" });
    expect(await readFile(files.privateFile, "utf8")).toBe(pair.privateKeyPem);
  });
});

test("where only the private file is there, nothing is left of a pair that was not made", async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, "ci.key"), "precious");
    await expect(writeKeyFiles(join(folder, "ci"), createKeyPair())).rejects.toMatchObject({ code: "USAGE" });
    expect(await readdir(folder)).toEqual(["ci.key"]);
    expect(await readFile(join(folder, "ci.key"), "utf8")).toBe("precious");
  });
});

test("a key is taken from the named file, else from the environment; a passphrase is asked for only where it is needed", async () => {
  await inFolder(async (folder) => {
    const [plain, locked] = [createKeyPair(), createKeyPair("pass")];
    const file = join(folder, "ci.key");
    await writeFile(file, plain.privateKeyPem);
    const unasked = () => Promise.reject(new Error("asked for a passphrase"));
    const ofFile = await givenKey({ file, env: { IKOMA_SIGN_KEY: locked.privateKeyPem }, passphrase: unasked });
    const ofVariable = await givenKey({
      file: undefined,
      env: { IKOMA_SIGN_KEY: locked.privateKeyPem },
      passphrase: () => Promise.resolve("pass"),
    });
    const ofNamedFile = await givenKey({ file: undefined, env: { IKOMA_SIGN_KEY_FILE: file }, passphrase: unasked });
    const own = fingerprintOf(readPrivateKey(plain.privateKeyPem, undefined, ""));
    expect(ofFile && fingerprintOf(ofFile)).toBe(own);
    expect(ofNamedFile && fingerprintOf(ofNamedFile)).toBe(own);
    expect(ofVariable && fingerprintOf(ofVariable)).toBe(
      fingerprintOf(readPrivateKey(locked.privateKeyPem, "pass", "")),
    );
    expect(await givenKey({ file: undefined, env: {}, passphrase: unasked })).toBeUndefined();
    await expect(givenKey({ file: join(folder, "none"), env: {}, passphrase: unasked })).rejects.toMatchObject({
      code: "SIGNING_KEY_INVALID",
    });
  });
});
