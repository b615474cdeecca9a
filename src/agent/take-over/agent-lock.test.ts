import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { AgentLock } from "./agent-lock.ts";

let folder: string;
let path: string;
const holders: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-lock-"));
  path = join(folder, "agent/lock.db");
});

afterEach(async () => {
  for (const child of holders.splice(0)) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** Another process that holds it until it is killed. */
async function holder() {
  const script = `import { AgentLock } from ${JSON.stringify(join(import.meta.dirname, "agent-lock.ts"))};
await AgentLock.take(process.argv[1], 1000);
process.stdout.write("held");
setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "--eval", script, "--", path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  holders.push(child);
  await once(child.stdout, "data");
  return child;
}

test("one agent has it; another waits for it, and says so when it waits in vain", async () => {
  const child = await holder();
  await expect(AgentLock.take(path, 100)).rejects.toMatchObject({
    code: "HOST_NOT_READY",
    message: expect.stringContaining("Another agent"),
  });
  let isTaken = false;
  const taking = AgentLock.take(path, 30_000).then((lock) => {
    isTaken = true;
    return lock;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(isTaken).toBe(false);
  child.kill("SIGKILL");
  (await taking).release();
});

test("released, it is free at once", async () => {
  for (let round = 0; round < 3; round += 1) (await AgentLock.take(path, 0)).release();
});
