import { spawn } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { expect, test } from "@jest/globals";
import { isAbandoned, lockOwner, parseLocks } from "./stack-lock.ts";

const message = `the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete the lock file with \`pulumi cancel\`.
  file:///var/state/.pulumi/locks/organization/p/dev/1.json?no_tmp_dir=true: created by root@vm (pid 4711) at 2026-11-23T06:10:42Z
  s3://bucket/.pulumi/locks/organization/p/dev/2.json: created by First Last@runner-7 (pid 12) at 2026-11-23T06:10:43Z`;

test("locks are read from what the engine says of them", () => {
  const [first, second] = parseLocks(message);
  expect(first).toEqual({
    url: "file:///var/state/.pulumi/locks/organization/p/dev/1.json?no_tmp_dir=true",
    user: "root",
    hostname: "vm",
    pid: 4711,
    createdAt: "2026-11-23T06:10:42Z",
  });
  expect(second).toMatchObject({
    url: "s3://bucket/.pulumi/locks/organization/p/dev/2.json",
    user: "First Last",
    hostname: "runner-7",
  });
  expect(first && lockOwner(first)).toBe("root@vm (pid 4711, since 2026-11-23T06:10:42Z)");
});

test("only a process of this machine that is no more has abandoned its lock", async () => {
  const child = spawn("true");
  await once(child, "exit");
  const lock = { url: "file:///x", user: "root", hostname: hostname(), pid: child.pid ?? 0, createdAt: "" };
  expect(isAbandoned(lock)).toBe(true);
  expect(isAbandoned({ ...lock, hostname: "another" })).toBe(false);
  expect(isAbandoned({ ...lock, pid: process.pid })).toBe(false);
});
