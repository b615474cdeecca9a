import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import ssh2 from "ssh2";
import type { HostConfig } from "../config/schema.ts";
import { closeHostConnections, connectHost, prewarmHost } from "./host-connections.ts";
import { fingerprint } from "./host-key.ts";
import { scanHostKeys } from "./host-key-scan.ts";
import { remoteScript } from "./remote-script.ts";
import { connectSsh, type SshConnection } from "./ssh-connection.ts";
import { listening, makeKey, startLine, startSshd, type SshdRig } from "../../../test/rigs/sshd.ts";

let rig: SshdRig;
let folder: string;
const open: SshConnection[] = [];

beforeAll(async () => {
  rig = await startSshd();
  folder = await mkdtemp(join(tmpdir(), "ikoma-ssh-test-"));
});
afterEach(async () => {
  for (const connection of open.splice(0)) connection.close();
  await closeHostConnections();
});
afterAll(async () => {
  await rig.stop();
  await rm(folder, { recursive: true });
});

async function connected(host: HostConfig = rig.host, env: NodeJS.ProcessEnv = {}): Promise<SshConnection> {
  const connection = await connectSsh(host, { env });
  open.push(connection);
  return connection;
}

/** Without an own identity file: what HOME and the agent offer. */
function anonymous(): HostConfig {
  const { address, port, user, hostKey } = rig.host;
  return { address, port, user, hostKey };
}

describe("the host key", () => {
  test("a server with the pinned key is let in, also by its other key types", async () => {
    await connected();
    // The server has both keys and would offer ed25519 first: the pinned type is what it is asked for.
    await connected({ ...rig.host, hostKey: rig.hostKeys.rsa });
  });

  test("another key of the same type is refused with both fingerprints", async () => {
    const other = await makeKey(folder, "other_host", "ed25519");
    const { stdout } = await promisify(execFile)("ssh-keygen", ["-y", "-f", other]);
    const pinned = stdout.split(" ").slice(0, 2).join(" ").trim();
    await expect(connectSsh({ ...rig.host, hostKey: pinned })).rejects.toMatchObject({
      code: "HOST_KEY_CHANGED",
      details: { pinned: fingerprint(pinned), offered: fingerprint(rig.hostKeys.ed25519) },
    });
  });

  test("a server that has no key of the pinned type any more is refused", async () => {
    const bare = await startSshd({ keys: ["rsa"] });
    try {
      await expect(connectSsh(bare.host)).rejects.toMatchObject({
        code: "HOST_KEY_CHANGED",
        message: expect.stringContaining("ssh-ed25519"),
      });
    } finally {
      await bare.stop();
    }
  });

  test("a scan gives the server's keys without logging in, ed25519 first; fingerprints are those of ssh-keygen", async () => {
    expect(await scanHostKeys(rig.host)).toEqual([rig.hostKeys.ed25519, rig.hostKeys.rsa]);
    const { stdout } = await promisify(execFile)("ssh-keygen", ["-lf", join(rig.folder, "host_ed25519.pub")]);
    expect(stdout.split(" ")[1]).toBe(fingerprint(rig.hostKeys.ed25519));
    await expect(scanHostKeys({ ...rig.host, port: 1 })).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
  });
});

describe("logging in", () => {
  test("a key that the host does not know is HOST_AUTH and named", async () => {
    const identityFile = await makeKey(folder, "stranger", "ed25519");
    await expect(connectSsh({ ...rig.host, identityFile }, { env: {} })).rejects.toMatchObject({
      code: "HOST_AUTH",
      message: expect.stringContaining(identityFile),
    });
  });

  test("a missing identity file and a home without keys are HOST_AUTH", async () => {
    await expect(connectSsh({ ...rig.host, identityFile: join(folder, "nowhere") })).rejects.toMatchObject({
      code: "HOST_AUTH",
    });
    await expect(connectSsh(anonymous(), { env: { HOME: folder } })).rejects.toMatchObject({
      code: "HOST_AUTH",
      message: expect.stringContaining("no key in ~/.ssh and no SSH agent"),
    });
  });

  test("a key with a passphrase is not asked for, but pointed to the SSH agent", async () => {
    const identityFile = await makeKey(folder, "locked", "ed25519", "a passphrase");
    await expect(connectSsh({ ...rig.host, identityFile }, { env: {} })).rejects.toMatchObject({
      code: "HOST_AUTH",
      message: expect.stringContaining("passphrase"),
      hint: expect.stringContaining("ssh-add"),
    });
  });

  test("the usual key of ~/.ssh is used, also behind an SSH agent that does not answer", async () => {
    const home = join(folder, "home");
    await mkdir(join(home, ".ssh"), { recursive: true });
    await copyFile(join(rig.folder, "id_ed25519"), join(home, ".ssh", "id_ed25519"));
    await connected(anonymous(), { HOME: home });
    await connected(anonymous(), { HOME: home, SSH_AUTH_SOCK: join(folder, "no-such-socket") });
  });

  test("the SSH agent's keys are used", async () => {
    const socket = join(folder, "agent.sock");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(agent.stdout, "data");
      await promisify(execFile)("ssh-add", ["-q", join(rig.folder, "id_ed25519")], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
      });
      await connected(anonymous(), { HOME: folder, SSH_AUTH_SOCK: socket });
    } finally {
      agent.kill();
    }
  });
});

describe("a server that is not there", () => {
  test("a closed port is HOST_UNREACHABLE at once", async () => {
    await expect(connectSsh({ ...rig.host, port: 1 })).rejects.toMatchObject({
      code: "HOST_UNREACHABLE",
      message: expect.stringContaining("nothing listens"),
    });
  });

  test("one that says nothing is given up at the deadline, one that hangs up at once", async () => {
    const silent = createServer();
    const rude = createServer((socket) => socket.destroy());
    const [silentPort, rudePort] = await Promise.all([listening(silent), listening(rude)]);
    try {
      await expect(connectSsh({ ...rig.host, port: silentPort }, { timeoutMs: 200 })).rejects.toMatchObject({
        code: "HOST_UNREACHABLE",
        message: expect.stringContaining("no answer within 0.2 s"),
      });
      await expect(connectSsh({ ...rig.host, port: rudePort })).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
    } finally {
      silent.close();
      rude.close();
    }
  });
});

describe("commands", () => {
  test("give their exit code and both outputs", async () => {
    const connection = await connected();
    expect(await connection.exec("echo out; echo err >&2; exit 3")).toEqual({
      code: 3,
      stdout: "out\n",
      stderr: "err\n",
    });
    expect(await connection.exec("kill -9 $$")).toMatchObject({ code: null });
  });

  test("give their exit code also when they are over before their start is answered", async () => {
    // OpenSSH does that now and then, on a busy machine; this server always does.
    const server = new ssh2.Server({ hostKeys: [await readFile(join(rig.folder, "host_ed25519"))] }, (client) => {
      client.on("error", () => undefined);
      client.on("authentication", (attempt) => {
        attempt.accept();
      });
      client.on("session", (accept) => {
        accept().on("exec", (acceptExec) => {
          const stream = acceptExec();
          stream.write("out\n");
          stream.exit(3);
          stream.end();
        });
      });
    });
    const line = await startLine(await listening(server), { quietMs: 50 });
    try {
      const connection = await connected({ ...rig.host, port: line.port });
      expect(await connection.exec("anything")).toMatchObject({ code: 3, stdout: "out\n" });
    } finally {
      line.close();
      server.close();
    }
  });

  test("read what they are given, as text or as a stream larger than any window", async () => {
    const connection = await connected();
    expect(await connection.exec("cat", { input: "a secret\n" })).toMatchObject({ code: 0, stdout: "a secret\n" });
    const chunk = Buffer.alloc(64 * 1024, "x");
    const stream = Readable.from(
      (function* () {
        for (let index = 0; index < 128; index++) yield chunk;
      })(),
    );
    expect(await connection.exec("wc -c", { input: stream })).toMatchObject({ stdout: `${128 * 64 * 1024}\n` });
  });

  test("may end without reading what they are given", async () => {
    const connection = await connected();
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(64 * 1024);
      })(),
    );
    expect(await connection.exec("exit 7", { input: endless })).toMatchObject({ code: 7 });
    expect(endless.destroyed).toBe(true);
  });

  test("fail with their input's own error", async () => {
    const connection = await connected();
    const broken = new Readable({
      read() {
        this.destroy(new Error("the disk broke"));
      },
    });
    await expect(connection.exec("cat", { input: broken })).rejects.toThrow("the disk broke");
  });

  test("are given up at their time-out; the connection goes on", async () => {
    const connection = await connected();
    await expect(connection.exec("sleep 5", { timeoutMs: 100 })).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(await connection.exec("echo on")).toMatchObject({ stdout: "on\n" });
  });

  test("get arguments word by word, whatever is in them", async () => {
    const connection = await connected();
    const words = ["", "it's", '$(touch /tmp/never) `id` "q" \\ * ~', "two\nlines", "-n", "é"];
    const { stdout } = await connection.exec(
      remoteScript(`for word in "$@"; do printf '<%s>' "$word"; done`, ...words),
    );
    expect(stdout).toBe(words.map((word) => `<${word}>`).join(""));
  });
});

describe("forwarding", () => {
  test("reaches a unix socket of the host", async () => {
    const path = join(folder, "echo.sock");
    const server = createServer((socket) => socket.pipe(socket)).listen(path);
    await once(server, "listening");
    try {
      const stream = await (await connected()).forwardUnix(path);
      stream.end("hello\n");
      expect(await text(stream)).toBe("hello\n");
    } finally {
      server.close();
    }
  });

  test("says when nobody listens, and when the server forbids it", async () => {
    await expect((await connected()).forwardUnix(join(folder, "nobody.sock"))).rejects.toThrow();
    const strict = await startSshd({ settings: ["AllowStreamLocalForwarding no"] });
    try {
      const connection = await connected(strict.host);
      await expect(connection.forwardUnix(join(folder, "nobody.sock"))).rejects.toThrow();
      const stream = await connection.execStream("cat");
      stream.end("through a command");
      expect(await text(stream)).toBe("through a command");
    } finally {
      await strict.stop();
    }
  });
});

describe("a connection that is cut", () => {
  test("fails what is waited for, ends its streams, and is known as lost", async () => {
    const line = await startLine(rig.host.port);
    try {
      const connection = await connected({ ...rig.host, port: line.port });
      const stream = await connection.execStream("cat");
      const streamEnded = once(stream, "close");
      const waiting = connection.exec("sleep 60");
      const failed = expect(waiting).rejects.toMatchObject({
        code: "HOST_UNREACHABLE",
        message: expect.stringContaining("was lost"),
      });
      stream.resume();
      await connection.exec("true");
      line.cut();
      await failed;
      await streamEnded;
      await connection.closed;
      expect(connection.isLost).toBe(true);
      await expect(connection.exec("true")).rejects.toMatchObject({ code: "HOST_UNREACHABLE" });
    } finally {
      line.close();
    }
  });
});

describe("the pool", () => {
  test("gives everybody one connection, and a new one after a loss", async () => {
    const line = await startLine(rig.host.port);
    const host = { ...rig.host, port: line.port };
    try {
      prewarmHost(host);
      const first = await connectHost(host);
      expect(await connectHost({ ...host })).toBe(first);
      line.cut();
      await first.closed;
      const second = await connectHost(host);
      expect(second).not.toBe(first);
      expect(await second.exec("echo again")).toMatchObject({ stdout: "again\n" });
    } finally {
      line.close();
    }
  });

  test("forgets a failure, and an early attempt that nobody waits for does no harm", async () => {
    const broken = { ...rig.host, identityFile: join(folder, "late") };
    prewarmHost(broken);
    await expect(connectHost(broken)).rejects.toMatchObject({ code: "HOST_AUTH" });
    await copyFile(join(rig.folder, "id_ed25519"), broken.identityFile);
    expect((await connectHost(broken)).isLost).toBe(false);
    await writeFile(broken.identityFile, "");
  });
});
