import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { stringify } from "yaml";
import type { Argv } from "yargs";
import { runGroup } from "../../../../test/rigs/command-group.ts";
import { startLocalRegistry } from "../../../../test/rigs/registry.ts";
// Jest cannot load modules at the same time that share one; the handlers do, so they are loaded here first.
import "../../../core/bundle/create-bundle.ts";
import "../../../core/hosts/host-files.ts";
import "../../../core/signing/require-signer.ts";
import "../../../core/signing/sign-bundle.ts";
import "../../output/progress.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { askHidden } from "../../hidden-answer.ts";
import create from "./create.ts";
import inspect from "./inspect.ts";
import { readPassphrase } from "./key-arguments.ts";
import keygen from "./keygen.ts";
import sign from "./sign.ts";
import verify from "./verify.ts";

let folder = "";
let bundle = "";
const shell = { ...process.env };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-signing-"));
  process.env.XDG_CACHE_HOME = join(folder, "cache");
  bundle = join(folder, "shop.bundle.json");
  await writeFile(join(folder, "compose.yaml"), `services: { web: { build: ., ports: ["3000:3000"] } }`);
});

afterEach(async () => {
  jest.restoreAllMocks();
  process.env = { ...shell };
  await rm(folder, { recursive: true });
});

/** What a command line printed on stdout. */
async function ikoma(...words: string[]): Promise<string> {
  const mount = (group: Argv<GlobalArguments>): Argv<GlobalArguments> =>
    group.command(create).command(inspect).command(keygen).command(sign).command(verify);
  return (await runGroup("bundle", mount, [...words, "--cwd", folder])).stdout;
}

const at = (name: string): string => join(folder, name);
const made = ["--app", "shop", "--version", "v1", "--image", `web=127.0.0.1:1/me/shop@sha256:${"1".repeat(64)}`];
const createBundle = (...more: string[]) => ikoma("bundle", "create", ...made, ...more);

test("keygen makes a pair, tells its fingerprint, and never another in its place", async () => {
  const { data } = JSON.parse(await ikoma("bundle", "keygen", "ci", "--json")) as { data: Record<string, unknown> };
  expect(data).toMatchObject({ privateFile: at("ci.key"), publicFile: at("ci.pub"), isEncrypted: false });
  expect((await stat(at("ci.key"))).mode & 0o777).toBe(0o600);
  const before = await readFile(at("ci.key"), "utf8");
  await expect(ikoma("bundle", "keygen", "ci")).rejects.toMatchObject({ code: "USAGE" });
  expect(await readFile(at("ci.key"), "utf8")).toBe(before);
});

test("a passphrase in the environment encrypts the key, and opens it", async () => {
  process.env["IKOMA_SIGN_PASSPHRASE"] = "open sesame";
  expect(await ikoma("bundle", "keygen", "ci")).toContain("encrypted: to a secret of your CI");
  await createBundle("--sign-key", at("ci.key"));
  delete process.env["IKOMA_SIGN_PASSPHRASE"];
  await expect(createBundle("--sign-key", at("ci.key"))).rejects.toMatchObject({ code: "SIGNING_KEY_INVALID" });
  expect(await ikoma("bundle", "verify", bundle, "--key", "ci.pub")).toContain("signed by ci");
});

test("sign adds a signature, verify and inspect tell whose", async () => {
  for (const name of ["ci", "ops"]) await ikoma("bundle", "keygen", name);
  await createBundle();
  await expect(ikoma("bundle", "verify", bundle, "--key", "ci.pub")).rejects.toMatchObject({
    code: "BUNDLE_UNSIGNED",
    exitCode: 3,
  });
  expect(await ikoma("bundle", "inspect", bundle)).toMatch(/\nNot signed\n$/);
  expect(await ikoma("bundle", "sign", bundle, "--sign-key", at("ci.key"))).toMatch(/\nsigned by SHA256:/);
  expect(await ikoma("bundle", "sign", bundle, "--sign-key", at("ci.key"))).toMatch(/\nwas signed already by SHA256:/);
  expect(await ikoma("bundle", "verify", bundle, "--key", "ci.pub", "--key", "ops.pub")).toMatch(/\nsigned by ci\n$/);
  await expect(ikoma("bundle", "verify", bundle, "--key", "ops.pub")).rejects.toMatchObject({
    code: "BUNDLE_SIGNATURE_INVALID",
    details: { trusted: ["ops"] },
  });
  expect(await ikoma("bundle", "inspect", bundle)).toMatch(
    /\nSigned by SHA256:\S+ \(\w+\): not checked, for want of a key/,
  );
  expect(await ikoma("bundle", "inspect", bundle, "--key", "ops.pub")).toContain("not by a key that is trusted here");
  expect(JSON.parse(await ikoma("bundle", "inspect", bundle, "--key", "ci.pub", "--json"))).toMatchObject({
    data: { signatures: [{ signer: "ci", signature: expect.stringContaining("SHA256:") }] },
  });
});

test("in CI the key is in a variable; the bundle is signed where it is pushed and in the file", async () => {
  await ikoma("bundle", "keygen", "ci");
  await using registry = await startLocalRegistry();
  process.env["IKOMA_SIGN_KEY"] = await readFile(at("ci.key"), "utf8");
  const target = `${registry.address}/me/shop-bundle`;
  const printed = await createBundle("--push", target, "--output", bundle, "--json");
  const { data } = JSON.parse(printed) as { data: { reference: string } };
  expect(data).toMatchObject({ signedBy: expect.stringMatching(/^SHA256:/) });
  for (const reference of [data.reference, bundle])
    expect(await ikoma("bundle", "verify", reference, "--key", "ci.pub")).toContain("signed by ci");
});

test("without --key the keys of the folder's hosts are the ones to check with", async () => {
  await ikoma("bundle", "keygen", "ci");
  await createBundle("--sign-key", at("ci.key"));
  await expect(ikoma("bundle", "verify", bundle)).rejects.toMatchObject({ code: "USAGE" });
  const keys = { robot: await readFile(at("ci.pub"), "utf8") };
  await writeFile(
    at("Pulumi.hosts.yaml"),
    stringify({ config: { "ikoma:setup": { vps1: { signatures: { keys } } } } }),
  );
  expect(await ikoma("bundle", "verify", bundle)).toContain("signed by robot");
});

test.each([
  [["sign", "shop.bundle.json"], "USAGE", "Sign with which key"],
  [["sign", "shop.bundle.json", "--sign-key", "none.key"], "SIGNING_KEY_INVALID", "cannot be read"],
  [["verify", "shop.bundle.json", "--key", "compose.yaml"], "SIGNING_KEY_INVALID", "no public key"],
])("bundle %j is refused", async (words, code, message) => {
  await createBundle();
  const absolute = words.map((word) => (word === "shop.bundle.json" ? bundle : word));
  await expect(ikoma("bundle", ...absolute)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test("what cannot be signed is not made either", async () => {
  await expect(createBundle("--sign-key", at("none.key"))).rejects.toMatchObject({ code: "SIGNING_KEY_INVALID" });
  await expect(stat(bundle)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a passphrase comes from standard input, else from the environment, else from whoever sits there", async () => {
  const asked = () => Promise.resolve("asked");
  const piped = { "passphrase-stdin": true };
  expect(await readPassphrase(piped, asked, Readable.from(["piped\n"]))).toBe("piped");
  await expect(readPassphrase(piped, asked, Readable.from([""]))).rejects.toMatchObject({ code: "USAGE" });
  expect(await readPassphrase({ "passphrase-stdin": false }, asked)).toBe("asked");
  process.env["IKOMA_SIGN_PASSPHRASE"] = "given";
  expect(await readPassphrase({ "passphrase-stdin": false }, asked)).toBe("given");
});

test("a hidden answer is not shown, and not waited for where nobody sits", async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const terminal = { input: Object.assign(input, { isTTY: true }), output: Object.assign(output, { isTTY: true }) };
  const answer = askHidden("Passphrase: ", terminal);
  input.write("open sesame\n");
  expect(await answer).toBe("open sesame");
  expect(String(output.read())).toBe("Passphrase: \n");
  expect(await askHidden("Passphrase: ", { input: new PassThrough(), output })).toBeUndefined();
});
