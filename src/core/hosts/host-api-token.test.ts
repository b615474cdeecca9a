import { expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExecOptions, ExecResult, SshConnection } from "../transport/ssh-connection.ts";
import { keepApiToken, requireApiToken } from "./host-api-token.ts";

/** Runs what is to be run on a host here, with another folder in the place of the agent's. */
async function withHost(use: (connection: SshConnection, folder: string, commands: string[]) => Promise<void>) {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-api-token-"));
  const commands: string[] = [];
  const exec = (command: string, { input }: ExecOptions = {}): Promise<ExecResult> => {
    commands.push(command);
    const { promise, resolve } = Promise.withResolvers<ExecResult>();
    const script = command.replaceAll("/var/lib/ikoma", folder);
    const child = execFile("sh", ["-c", script], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, stdout, stderr });
    });
    child.stdin?.end(input);
    return promise;
  };
  const host = { address: "192.0.2.7", port: 22, user: "root" };
  try {
    await use({ host, exec } as unknown as SshConnection, folder, commands);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a token is kept for root alone, and no command line has it; the same again changes nothing", async () => {
  await withHost(async (connection, folder, commands) => {
    expect(await keepApiToken(connection, "image", "ikb_first")).toBe(true);
    expect(await keepApiToken(connection, "image", "ikb_first")).toBe(false);
    expect(await keepApiToken(connection, "image", "ikb_second")).toBe(true);
    const path = join(folder, "agent/api-token");
    expect(await readFile(path, "utf8")).toBe("ikb_second");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "agent"))).mode & 0o777).toBe(0o700);
    expect(commands.join("\n")).not.toContain("ikb_");
  });
});

test("an agent that is to dial out needs one", async () => {
  await withHost(async (connection) => {
    await expect(requireApiToken(connection, "image", "vps1")).rejects.toMatchObject({
      code: "CONFIG_MISSING",
      hint: expect.stringContaining("--api-token-file") as unknown,
    });
    await keepApiToken(connection, "image", "ikb_first");
    await requireApiToken(connection, "image", "vps1");
  });
});
