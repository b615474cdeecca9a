import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { runGroup } from "../../../../test/rigs/command-group.ts";
import { LocalPostgres } from "../../../../test/rigs/postgres.ts";
import { SecretStoreRig } from "../../../../test/rigs/secret-store.ts";
// Jest cannot load modules at the same time that share one; the handlers do, so they are loaded here first.
import "../../../core/project/deploy-project.ts";
import "../../../core/project/deploy-stack-file.ts";
import "../../../core/secret-store/change-secret.ts";
import "../../../core/secret-store/reseal.ts";
import "../../../core/secret-store/store-people.ts";
import "../../../core/secret-store/store-schema.ts";
import "../../../core/signing/key-files.ts";
import "../../output/envelope.ts";
import "./secrets-view.ts";
import { IkomaError } from "../../../core/errors.ts";
import get from "./get.ts";
import history from "./history.ts";
import init from "./init.ts";
import keygen from "./keygen.ts";
import list from "./list.ts";
import purge from "./purge.ts";
import recipients from "./recipients.ts";
import rm from "./rm.ts";
import set from "./set.ts";
import writers from "./writers.ts";

const shell = { ...process.env };
let server: LocalPostgres;
let rig: SecretStoreRig;

beforeAll(async () => {
  server = await LocalPostgres.start();
});
afterAll(() => server[Symbol.asyncDispose]());

beforeEach(async () => {
  rig = await SecretStoreRig.create(server);
  Object.assign(process.env, rig.env());
  await writeFile(at("Pulumi.yaml"), "name: shop\nruntime: nodejs\n");
  await writeFile(
    at("Pulumi.prod.yaml"),
    `# Kept.
config:
  ikoma:hosts: { vps1: { address: 192.0.2.1, hostKey: ssh-ed25519 AAAA } }
  ikoma:apps:
    shop: { host: vps1 } # Kept too.
`,
  );
});
afterEach(async () => {
  jest.restoreAllMocks();
  process.env = { ...shell };
  await rig[Symbol.asyncDispose]();
});

const at = (name: string): string => join(rig.folder, name);
const settings = (): Promise<string> => readFile(at("Pulumi.prod.yaml"), "utf8");

/** Runs a command line as the CLI does, with this on standard input, and gives what it printed on stdout. */
async function ikoma(words: readonly string[], stdin = ""): Promise<string> {
  jest.spyOn(process, "stdin", "get").mockReturnValue(Readable.from([Buffer.from(stdin)]) as never);
  const commands = [init, keygen, writers, recipients, set, list, history, get, rm, purge];
  const line = ["secrets", ...words, "--cwd", rig.folder];
  const printed = await runGroup(
    "secrets",
    (group) => commands.reduce((all, each) => all.command(each as never), group),
    line,
  );
  return printed.stdout;
}

const json = async (...words: string[]): Promise<unknown> =>
  (JSON.parse(await ikoma([...words, "--json"])) as { data: unknown }).data;

/** Makes anna and, where he is named, ben writers, and anna a recipient. */
async function introduce(...people: ("anna" | "ben")[]): Promise<void> {
  for (const name of people) await ikoma(["writers", "add", name, `${name}.pub`]);
  await ikoma(["recipients", "add", "anna", rig.recipients.anna]);
}

const sign = (who: "anna" | "ben"): string[] => ["--sign-key", rig.keyFile(who)];

test("a store is made, people are named in the settings, a value is set, listed, and printed on request alone", async () => {
  await rig.sql("DROP SCHEMA ikoma_store CASCADE");
  await expect(ikoma(["list"])).rejects.toMatchObject({ code: "STORE_MISSING" });
  const made = await ikoma(["init"]);
  expect(made).toMatch(
    / is a secret store now\nnext:\n {2}ikoma secrets writers add .*\n {2}ikoma secrets recipients add /,
  );
  await expect(ikoma(["set", "shop", "API_KEY", ...sign("anna")], "x")).rejects.toMatchObject({
    code: "CONFIG_MISSING",
  });
  await introduce("anna");
  expect(await settings()).toBe(`# Kept.
config:
  ikoma:hosts: { vps1: { address: 192.0.2.1, hostKey: ssh-ed25519 AAAA } }
  ikoma:apps:
    shop: { host: vps1 } # Kept too.
  ikoma:store:
    writers:
      anna: ${rig.writers.anna}
    recipients:
      anna: ${rig.recipients.anna}
`);
  const set = await ikoma(["set", "shop", "API_KEY", ...sign("anna")], "the-value\n");
  expect(set).toMatch(/^prod\/shop\/API_KEY is at version 1;/);
  const outputs = [await ikoma(["list"]), await ikoma(["list", "--json"]), await ikoma(["history", "shop", "API_KEY"])];
  expect(outputs[0]).toMatch(/^shop +API_KEY +1 +set +\S+ \S+ +anna +anna$/m);
  expect(JSON.parse(outputs[1] ?? "")).toMatchObject({
    kind: "Secrets",
    data: { environment: "prod", secrets: [{ app: "shop", name: "API_KEY", version: 1, state: "value", by: "anna" }] },
  });
  expect(outputs[2]).toMatch(/^\S+ \S+ +set +1 +\S+@\S+ +tester$/m);
  expect([set, ...outputs].join()).not.toContain("the-value");
  for (const without of [[], ["--reveal", "--json"]])
    await expect(ikoma(["get", "shop", "API_KEY", ...without])).rejects.toMatchObject({ code: "USAGE" });
  expect(await ikoma(["get", "shop", "API_KEY", "--reveal"])).toBe("the-value");
  expect(await ikoma(["history", "shop", "API_KEY"])).toMatch(/^\S+ \S+ +get +1 /m);
});

test("a value that somebody else has set meanwhile is not written over", async () => {
  await introduce("anna");
  await ikoma(["set", "shop", "KEY", ...sign("anna")], "one");
  const late = ikoma(["set", "shop", "KEY", "--expect", "0", ...sign("anna")], "other");
  await expect(late).rejects.toMatchObject({
    code: "SECRET_CHANGED",
    hint: expect.stringContaining("secrets history shop KEY") as unknown,
  });
  expect(await ikoma(["get", "shop", "KEY", "--reveal"])).toBe("one");
});

const refused: readonly (readonly [what: string, words: readonly string[], code: string])[] = [
  ["an app that the stack has not", ["set", "blog", "KEY"], "APP_UNKNOWN"],
  ["a name that none can have", ["set", "shop", "1 KEY"], "USAGE"],
  ["no value", ["set", "shop", "KEY"], "USAGE"],
  ["a secret that is not there", ["rm", "shop", "KEY"], "SECRET_NOT_FOUND"],
  ["the history of none", ["history", "shop", "KEY"], "SECRET_NOT_FOUND"],
  ["a purge that nobody confirms", ["purge", "shop", "KEY"], "USAGE"],
  ["a purge by another name", ["purge", "shop", "KEY", "--confirm", "KEYS"], "USAGE"],
  ["a recipient with a typing error", ["recipients", "add", "ben", `age1${"q".repeat(58)}`], "USAGE"],
  ["a recipient that is none", ["recipients", "add", "ben", "ssh-ed25519"], "USAGE"],
  ["a recipient who was none", ["recipients", "rm", "ben"], "USAGE"],
  ["the last recipient", ["recipients", "rm", "anna"], "USAGE"],
  ["another key for a recipient", ["recipients", "add", "anna", "BEN"], "USAGE"],
  ["a recipient's key under another name", ["recipients", "add", "ben", "ANNA"], "USAGE"],
  ["a writer's key under another name", ["writers", "add", "ben", "anna.pub"], "USAGE"],
  ["a writer without a key", ["writers", "add", "ben", "anna.identity"], "USAGE"],
  ["another key for a writer", ["writers", "add", "anna", "ben.pub"], "USAGE"],
  ["a writer who was none", ["writers", "rm", "ben"], "USAGE"],
  ["the last writer", ["writers", "rm", "anna"], "CONFIG_MISSING"],
  ["a role that the database has not", ["init", "--reader", "nobody_here"], "USAGE"],
];

test("what cannot be done is refused, and changes neither settings nor store", async () => {
  await introduce("anna");
  const before = [await settings(), await rig.dump()];
  const codes: unknown[] = [];
  for (const [what, words] of refused) {
    const key = words[0] === "set" ? sign("anna") : [];
    const recipients: Record<string, string> = { ANNA: rig.recipients.anna, BEN: rig.recipients.ben };
    const line = words.map((word) => recipients[word] ?? word);
    const ended = await ikoma([...line, ...key]).then(
      () => "done",
      (error: unknown) => (error instanceof IkomaError ? error.code : String(error)),
    );
    codes.push([what, words, ended]);
  }
  expect(codes).toEqual(refused);
  expect([await settings(), await rig.dump()]).toEqual(before);
  await expect(ikoma(["get", "shop", "KEY", "--reveal", "--at", "two"])).rejects.toThrow("no number of a version");
});

test("an identity that is given in place of a recipient is not told to whoever reads the log", async () => {
  await introduce("anna");
  const refusal = ikoma(["recipients", "add", "ben", "AGE-SECRET-KEY-1HUNTER22"]).catch(String);
  expect(await refusal).toMatch(/no recipient/);
  expect(await refusal).not.toContain("HUNTER22");
});

test("somebody who is no writer is told who is", async () => {
  await introduce("anna");
  await expect(ikoma(["set", "shop", "KEY", ...sign("ben")], "x")).rejects.toMatchObject({
    code: "HOST_AUTH",
    hint: expect.stringContaining("The settings name anna.") as unknown,
  });
});

test("a recipient comes and goes; who goes is followed by what to set anew", async () => {
  await introduce("anna");
  await ikoma(["set", "shop", "KEY", ...sign("anna")], "one");
  await ikoma(["recipients", "add", "ben", rig.recipients.ben]);
  Object.assign(process.env, rig.env("ben"));
  expect(await ikoma(["get", "shop", "KEY", "--reveal"])).toBe("one");
  Object.assign(process.env, rig.env("anna"));
  expect(await ikoma(["recipients", "rm", "ben"])).toMatch(/may have kept[^]*\n {2}ikoma secrets set shop KEY\n$/);
  expect(await settings()).not.toContain("ben");
  Object.assign(process.env, rig.env("ben"));
  await expect(ikoma(["get", "shop", "KEY", "--reveal"])).rejects.toMatchObject({ code: "STORE_IDENTITY" });
  // Settings that came by Git are brought to the store by whoever can read.
  const withBen = (await settings()).replace("recipients:", `recipients:\n      ben: ${rig.recipients.ben}`);
  await writeFile(at("Pulumi.prod.yaml"), withBen);
  await expect(ikoma(["recipients", "rewrap"])).rejects.toMatchObject({ code: "STORE_IDENTITY" });
  Object.assign(process.env, rig.env("anna"));
  // Whether somebody was taken out there the store cannot know.
  const rewrapped = { recipients: ["ben", "anna"], versions: 1, exposed: [{ app: "shop", name: "KEY" }] };
  expect(await json("recipients", "rewrap")).toMatchObject(rewrapped);
  expect(await ikoma(["recipients", "rewrap"])).toMatch(
    /\nWas somebody taken out\?[^]*\n {2}ikoma secrets set shop KEY\n$/,
  );
});

test("where the settings could not be written the list is told again", async () => {
  await introduce("anna");
  await ikoma(["set", "shop", "KEY", ...sign("anna")], "one");
  await ikoma(["recipients", "add", "ben", rig.recipients.ben]);
  const before = await settings();
  await ikoma(["recipients", "rm", "ben"]);
  await writeFile(at("Pulumi.prod.yaml"), before);
  expect(await json("recipients", "rm", "ben")).toMatchObject({ exposed: [{ app: "shop", name: "KEY" }] });
});

test("a writer leaves, and what they have set goes on counting", async () => {
  await introduce("anna", "ben");
  await ikoma(["set", "shop", "KEY", ...sign("anna")], "one");
  expect(await json("writers", "rm", "anna", ...sign("ben"))).toEqual({ writers: ["ben"], signed: 1, by: "ben" });
  expect(await ikoma(["get", "shop", "KEY", "--reveal"])).toBe("one");
  expect(await json("list")).toMatchObject({ secrets: [{ by: "ben" }] });
});

test("taken out of the settings by hand, a writer's values are shown as what they are", async () => {
  await introduce("anna", "ben");
  await ikoma(["set", "shop", "KEY", ...sign("anna")], "one");
  await writeFile(at("Pulumi.prod.yaml"), (await settings()).replace(/^ {6}anna: ssh.*\n/m, ""));
  expect(await ikoma(["list"])).toMatch(
    /NOT VALID[^]*\n! prod\/shop\/KEY version 1 does not count: it is signed by nobody/,
  );
  await expect(ikoma(["get", "shop", "KEY", "--reveal"])).rejects.toMatchObject({ code: "STORE_TAMPERED" });
});

test("a secret is removed, still readable by its version, then purged", async () => {
  await introduce("anna");
  await ikoma(["set", "shop", "KEY", ...sign("anna")], "one");
  // The app may have gone.
  await writeFile(at("Pulumi.prod.yaml"), (await settings()).replace(/^ {2}ikoma:apps:\n.*\n/m, ""));
  expect(await ikoma(["rm", "shop", "KEY", ...sign("anna")])).toContain("is removed, as version 2");
  await expect(ikoma(["get", "shop", "KEY", "--reveal"])).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  expect(await ikoma(["get", "shop", "KEY", "--reveal", "--at", "1"])).toBe("one");
  expect(await ikoma(["purge", "shop", "KEY", "--confirm", "KEY"])).toContain("deleted version 1");
  await expect(ikoma(["get", "shop", "KEY", "--reveal", "--at", "1"])).rejects.toMatchObject({
    code: "SECRET_NOT_FOUND",
  });
  expect(await json("history", "shop", "KEY")).toMatchObject({
    versions: [{ state: "removed" }, { state: "purged", by: "anna" }],
    audit: [{ action: "purge" }, { action: "get" }, { action: "rm" }, { action: "set" }],
  });
});

test("an identity is made in a file of its own, never in another's place", async () => {
  const recipient = (await ikoma(["keygen", "new.identity"])).trim();
  expect(recipient).toMatch(/^age1[0-9a-z]{58}$/);
  expect((await stat(at("new.identity"))).mode & 0o777).toBe(0o600);
  const text = await readFile(at("new.identity"), "utf8");
  expect(text).toMatch(/^# public key: age1.*\nAGE-SECRET-KEY-1[0-9A-Z]+\n$/);
  await expect(ikoma(["keygen", "new.identity"])).rejects.toMatchObject({ code: "USAGE" });
  expect(await readFile(at("new.identity"), "utf8")).toBe(text);
});

test("without an identity, or with what is none, nothing is read", async () => {
  await introduce("anna");
  await ikoma(["set", "shop", "KEY", ...sign("anna")], "one");
  process.env.IKOMA_STORE_IDENTITY_FILE = rig.keyFile("anna");
  await expect(ikoma(["get", "shop", "KEY", "--reveal"])).rejects.toThrow("no identity of age");
  delete process.env.IKOMA_STORE_IDENTITY_FILE;
  await expect(ikoma(["get", "shop", "KEY", "--reveal"])).rejects.toMatchObject({ code: "STORE_IDENTITY" });
  // Who only writes needs none.
  await ikoma(["set", "shop", "OTHER", ...sign("anna")], "another");
  process.env.IKOMA_STORE_IDENTITY = await readFile(at("anna.identity"), "utf8");
  expect(await ikoma(["get", "shop", "KEY", "--reveal"])).toBe("one");
});

test("the guide's commands, as they stand there", async () => {
  await mkdir(at("bin"));
  const entry = join(import.meta.dirname, "../../entry.ts");
  await writeFile(at("bin/ikoma"), `#!/bin/sh\nexec '${process.execPath}' '${entry}' "$@"\n`, { mode: 0o755 });
  await mkdir(at(".ssh"));
  for (const end of ["", ".pub"]) await rename(at(`anna${end}`), at(`.ssh/id_ed25519${end}`));
  await writeFile(at("key.txt"), "the-value\n");
  const guide = await readFile(join(import.meta.dirname, "../../../../docs/guides/secret-store.md"), "utf8");
  const blocks = [...guide.matchAll(/^```sh run\n([^]*?)^```$/gm)].map(([, text = ""]) => text);
  expect(blocks).toHaveLength(3);
  const env = { ...shell, ...rig.env(), HOME: rig.folder, PATH: `${at("bin")}:${shell.PATH ?? ""}` };
  const script = `set -e\n${blocks.join("")}ikoma secrets get shop STRIPE_KEY -s prod --reveal`;
  const { stdout } = await promisify(execFile)("bash", ["-c", script], { cwd: rig.folder, env });
  expect(stdout).toMatch(/^shop +STRIPE_KEY +1 +set +\S+ \S+ +anna +anna$/m);
  expect(stdout).toMatch(/^prod can be read by anna, ci; 1 data keys/m);
  expect(stdout).toMatch(/\nthe-value$/);
});
