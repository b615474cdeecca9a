import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { fingerprint } from "../transport/host-key.ts";
import { editHostEntry, findHost, readHostFiles } from "./host-files.ts";
import { decideTrust, writeTrust, type HostAddress, type TrustQuestion } from "./host-trust.ts";

const ed25519 = `ssh-ed25519 ${Buffer.from("the first key").toString("base64")}`;
const rsa = `ssh-rsa ${Buffer.from("the second key").toString("base64")}`;
const other = `ssh-ed25519 ${Buffer.from("another key").toString("base64")}`;
const host: HostAddress = { name: "vps1", address: "192.0.2.1", port: 22, user: "root" };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-trust-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const stackFile = (name: string): string => join(folder, `Pulumi.${name}.yaml`);

async function decide(more: Partial<TrustQuestion> = {}) {
  return decideTrust({
    host,
    keys: [ed25519, rsa],
    expected: undefined,
    replace: false,
    files: await readHostFiles(folder),
    ...more,
  });
}

test("an unknown key is asked about, the preferred one; the named fingerprint picks the key that has it", async () => {
  expect(await decide()).toEqual({ hostKey: ed25519, fingerprint: fingerprint(ed25519), state: "ask" });
  expect(await decide({ expected: fingerprint(rsa) })).toEqual({
    hostKey: rsa,
    fingerprint: fingerprint(rsa),
    state: "proved",
  });
});

test("a fingerprint that no key has is refused, whatever else is said", async () => {
  await expect(decide({ expected: fingerprint(other), replace: true })).rejects.toMatchObject({
    code: "HOST_KEY_UNKNOWN",
    message: expect.stringContaining(fingerprint(ed25519)),
  });
});

test("a key that is trusted already is not asked about; a changed one needs to be replaced, and is asked about then", async () => {
  await writeTrust(folder, host, rsa, []);
  expect(await decide()).toMatchObject({ hostKey: rsa, state: "trusted" });
  await writeTrust(folder, host, other, []);
  await expect(decide()).rejects.toMatchObject({
    code: "HOST_KEY_CHANGED",
    details: { pinned: fingerprint(other), offered: fingerprint(ed25519) },
  });
  await expect(decide({ expected: fingerprint(ed25519) })).rejects.toMatchObject({ code: "HOST_KEY_CHANGED" });
  expect(await decide({ replace: true })).toMatchObject({ hostKey: ed25519, state: "ask" });
});

test("a host is written to the stack hosts, to the named stack and to those that use it; again changes nothing", async () => {
  await writeFile(
    stackFile("prod"),
    "# production\nconfig:\n  ikoma:apps:\n    shop:\n      host: vps1 # the big one\n",
  );
  await writeFile(stackFile("other"), "config:\n  ikoma:apps:\n    blog:\n      host: vps2\n");
  const written = await writeTrust(folder, host, ed25519, ["preprod"]);
  expect(written.map(({ stack, changed }) => `${stack} ${changed}`).sort()).toEqual([
    "hosts true",
    "preprod true",
    "prod true",
  ]);
  expect(await readFile(stackFile("prod"), "utf8")).toBe(
    `# production\nconfig:\n  ikoma:apps:\n    shop:\n      host: vps1 # the big one\n  ikoma:hosts:\n    vps1:\n      address: 192.0.2.1\n      hostKey: ${ed25519}\n`,
  );
  expect((await writeTrust(folder, host, ed25519, [])).some((file) => file.changed)).toBe(false);
  expect(findHost(await readHostFiles(folder), "vps1")).toMatchObject({
    host: { port: 22, user: "root" },
    setup: { httpPort: 80 },
  });
});

test("a stack that reaches the host through the API goes on doing so, unless it was named", async () => {
  const through = "config:\n  ikoma:hosts:\n    vps1:\n      api: https://bridge.example\n";
  await writeFile(stackFile("prod"), through);
  expect((await writeTrust(folder, host, ed25519, [])).map(({ stack }) => stack)).toEqual(["hosts"]);
  expect(await readFile(stackFile("prod"), "utf8")).toBe(through);
  await writeTrust(folder, host, ed25519, ["prod"]);
  const prod = (await readHostFiles(folder)).find(({ stack }) => stack === "prod");
  expect(prod?.hosts["vps1"]).toEqual({ address: "192.0.2.1", hostKey: ed25519, port: 22, user: "root" });
});

test("an edit keeps comments, other hosts and other settings, and takes out what is the default again", () => {
  const text = `config:
  ikoma:hosts:
    # in the cellar
    vps1:
      address: 192.0.2.9 # old
      port: 2222
      hostKey: ${other}
    vps2:
      address: 192.0.2.2
      hostKey: ${rsa}
encryptionsalt: v1:abc
`;
  expect(editHostEntry(text, "vps1", { address: "192.0.2.1", hostKey: ed25519 })).toBe(
    text.replace("192.0.2.9", "192.0.2.1").replace("      port: 2222\n", "").replace(other, ed25519),
  );
});

test("a host that no file knows is told with the nearest name", async () => {
  await writeTrust(folder, host, ed25519, []);
  const files = await readHostFiles(folder);
  expect(() => findHost(files, "vsp1")).toThrow(
    expect.objectContaining({ code: "CONFIG_MISSING", hint: expect.stringContaining("Did you mean vps1?") }),
  );
  await writeFile(stackFile("hosts"), "config:\n  ikoma:hosts:\n    vps1:\n      adress: 192.0.2.1\n");
  await expect(readHostFiles(folder)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("Pulumi.hosts.yaml: ikoma:hosts.vps1"),
  });
});
