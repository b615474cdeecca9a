import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { withSshAgent } from "../../../test/rigs/ssh-agent.ts";
import { makeKey } from "../../../test/rigs/sshd.ts";
import { hostConfig } from "../config/schema.ts";
import { keyForPlugin } from "./plugin-key.ts";

let home: string;
let held: string;
let other: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "ikoma-plugin-key-"));
  [held, other] = await Promise.all([makeKey(home, "held", "ed25519"), makeKey(home, "other", "ed25519")]);
});
afterAll(() => rm(home, { recursive: true }));

const hostWith = (identityFile?: string) =>
  hostConfig.parse({
    address: "vps1",
    hostKey: "ssh-ed25519 AAAA",
    ...(identityFile !== undefined && { identityFile }),
  });

/** With an SSH agent that holds these keys. */
function withAgent(keys: readonly string[], use: (env: NodeJS.ProcessEnv) => Promise<void>): Promise<void> {
  return withSshAgent(home, keys, (socket) => use({ HOME: home, SSH_AUTH_SOCK: socket }));
}

test("a key that the SSH agent holds stays out of the state; another one that is named does not", async () => {
  await withAgent([held], async (env) => {
    expect(await keyForPlugin(hostWith(held), env)).toBeUndefined();
    expect(await keyForPlugin(hostWith(), env)).toBeUndefined();
    expect(await keyForPlugin(hostWith(other), env)).toBe(await readFile(other, "utf8"));
  });
});

test("without an agent, or with one that holds nothing, it is the named file, or the first of the usual ones", async () => {
  await mkdir(join(home, ".ssh"));
  await makeKey(home, "usual", "ed25519");
  await rename(join(home, "usual"), join(home, ".ssh/id_ed25519"));
  const usual = await readFile(join(home, ".ssh/id_ed25519"), "utf8");
  const withoutAgent = async (env: NodeJS.ProcessEnv): Promise<void> => {
    expect(await keyForPlugin(hostWith(held), env)).toBe(await readFile(held, "utf8"));
    expect(await keyForPlugin(hostWith(), env)).toBe(usual);
  };
  await withoutAgent({ HOME: home });
  await withoutAgent({ HOME: home, SSH_AUTH_SOCK: join(home, "gone.sock") });
  await withAgent([], withoutAgent);
});

test("a key with a passphrase is the agent's matter, and nothing at all to log in with is said", async () => {
  const locked = await makeKey(home, "locked", "ed25519", "a passphrase");
  await withAgent([held], async (env) => {
    expect(await keyForPlugin(hostWith(locked), env)).toBeUndefined();
  });
  await expect(keyForPlugin(hostWith(locked), { HOME: home })).rejects.toMatchObject({ code: "HOST_AUTH" });
});

test("a public key that is named is said to be none to log in with, but leaves it to the SSH agent", async () => {
  const host = hostWith(`${held}.pub`);
  await expect(keyForPlugin(host, { HOME: home })).rejects.toMatchObject({
    code: "HOST_AUTH",
    message: expect.stringContaining("held.pub: is a public key") as unknown,
  });
  await withAgent([held], async (env) => {
    expect(await keyForPlugin(host, env)).toBeUndefined();
  });
});
