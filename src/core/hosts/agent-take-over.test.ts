import { expect, test } from "@jest/globals";
import { hostConfig } from "../config/schema.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { followTakeOver } from "./agent-take-over.ts";

const waiting = '{"level":30,"takeOver":"waiting","msg":"waiting: shop is being deployed."}';
const done = '{"level":30,"takeOver":"done","msg":"the new agent works"}';

/** A host whose new agent looks like this, one look after the other; what is run there besides is noted. */
function hostThatShows(...looks: string[]) {
  const ran: string[] = [];
  const connection = {
    host: hostConfig.parse({ address: "192.0.2.7", hostKey: "ssh-ed25519 AAAA" }),
    exec: (command: string) => {
      const isLook = command.includes("docker logs");
      if (!isLook) ran.push(/docker (stop|rm)/.exec(command)?.[0] ?? command);
      return Promise.resolve({ code: 0, stdout: (isLook ? looks.shift() : "") ?? "", stderr: "" });
    },
  } as unknown as SshConnection;
  return { connection, ran };
}

async function follow(connection: SshConnection) {
  const steps: string[] = [];
  await followTakeOver(connection, "c0ffee", (step) => steps.push(step));
  return steps;
}

test("each word of the new agent is told once, until it works; other lines are nobody's business", async () => {
  const { connection, ran } = hostThatShows(
    "running\n(node) a warning\n{not json\n",
    `running\n${waiting}`,
    `running\n${waiting}\n{"level":30,"msg":"something else"}`,
    `running\n${waiting}\n${done}`,
  );
  expect(await follow(connection)).toEqual(["waiting: shop is being deployed.", "the new agent works"]);
  expect(ran).toEqual([]);
});

test("one that gave the place back is removed, and its reason is the error", async () => {
  const failed = `{"takeOver":"failed","code":"JOURNAL_NEWER","hint":"its hint","msg":"The journal has schema 9."}`;
  const { connection, ran } = hostThatShows(`exited\n${failed}`);
  await expect(follow(connection)).rejects.toMatchObject({
    code: "JOURNAL_NEWER",
    message: expect.stringMatching(/192\.0\.2\.7.*runs on: The journal has schema 9\.$/),
    hint: "its hint",
    details: { log: [failed] },
  });
  expect(ran).toEqual(["docker stop"]);
});

test.each([
  ["an error of a kind this program does not know", '{"takeOver":"failed","code":"FROM_LATER","msg":"unheard of"}'],
  ["an error that it did not foresee", '{"takeOver":"failed","code":"INTERNAL","msg":"unheard of"}'],
  ["no word but its last line", "unheard of"],
])("%s is HOST_NOT_READY", async (_what, line) => {
  const { connection } = hostThatShows(`exited\n${line}`);
  await expect(follow(connection)).rejects.toMatchObject({
    code: "HOST_NOT_READY",
    message: expect.stringContaining("unheard of"),
    hint: expect.stringContaining("ikoma host bootstrap"),
  });
});
