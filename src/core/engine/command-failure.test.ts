import { expect, test } from "@jest/globals";
import { commandFailure, withholdInput } from "./command-failure.ts";

const urn = "urn:pulumi:hosts::shop::ikoma:index:VpsHost$command:remote:Command::vps1/disk";
const running = `running "exec sh -ec 'echo \\"a\\": x'"`;

test("a script that failed is told by host, step and how it ended, with the last lines that it printed", () => {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const failure = commandFailure(urn, `Process exited with status 3: ${running}:\n${lines.join("\n")}\n\n`);
  expect(failure).toMatchObject({
    code: "HOST_PREPARE_FAILED",
    exitCode: 4,
    message: "The step disk of vps1 ended with status 3.",
    details: { host: "vps1", step: "disk", log: lines.slice(-20) },
  });
  const killed = commandFailure(urn, `Process exited with status 137 from signal KILL: ${running}:\nhost key mismatch`);
  expect(killed).toMatchObject({
    code: "HOST_PREPARE_FAILED",
    message: expect.stringContaining("137 from signal KILL"),
  });
});

test("a connection that broke off while it ran, and what nobody foresaw, are told without the script", () => {
  const lost = `wait: remote command exited without exit status or exit signal: ${running}:\nhalf`;
  expect(commandFailure(urn, lost)).toMatchObject({
    message: "The step disk of vps1 failed: the connection was lost.",
    details: { log: ["half"] },
  });
  expect(commandFailure(urn, `something new: ${running}:\n`).message).toBe(
    "The step disk of vps1 failed: something new.",
  );
});

test.each([
  ["ssh: handshake failed: ssh: host key mismatch", "HOST_KEY_CHANGED"],
  [
    "after 3 failed attempts: ssh: handshake failed: ssh: no common algorithm for host key; client…",
    "HOST_KEY_CHANGED",
  ],
  ["ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey]", "HOST_AUTH"],
  ["dial unix /tmp/agent.1: connect: no such file or directory", "HOST_AUTH"],
  ["after 3 failed attempts: dial tcp 127.0.0.1:1: connect: connection refused", "HOST_UNREACHABLE"],
])("%s is %s", (text, code) => {
  expect(commandFailure(urn, text)).toMatchObject({ code, message: expect.stringContaining("was not run") as unknown });
});

test("what a script was given on standard input is not in what it printed, line by line", () => {
  withholdInput("first-secret\nsecond-secret\nno\n");
  const failure = commandFailure(urn, `Process exited with status 1: ${running}:\n"second-secret": no\nfirst-secret=x`);
  expect(failure.details["log"]).toEqual(['"[secret]": no', "[secret]=x"]);
});

test("nor is it there where one input is part of another, or a character of it is escaped", () => {
  withholdInput("hunter22\n");
  withholdInput('hunter22-and-"more"\n');
  const failure = commandFailure(urn, `Process exited with status 1: ${running}:\n{"given":"hunter22-and-\\"more\\""}`);
  expect(failure.details["log"]).toEqual(['{"given":"[secret]"}']);
});
