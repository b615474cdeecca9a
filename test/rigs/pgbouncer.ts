import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../lab/wait-until.ts";
import { account, password, user } from "./postgres.ts";

/** For tests: a real PgBouncer on loopback in front of a server of `LocalPostgres`, in one of its modes. */
export class LocalPooler implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, process: ChildProcess) {
    this.#folder = folder;
    this.port = port;
    this.#process = process;
  }

  static async start(
    server: number,
    mode: "session" | "transaction" | "statement",
    size: number,
  ): Promise<LocalPooler> {
    const folder = await mkdtemp(join(tmpdir(), "ikoma-pgbouncer-"));
    const owner = await account();
    const port = randomInt(30_000, 32_000);
    const settings = {
      listen_addr: "127.0.0.1",
      listen_port: port,
      unix_socket_dir: "",
      auth_type: "scram-sha-256",
      auth_file: join(folder, "users"),
      pool_mode: mode,
      default_pool_size: size,
      logfile: join(folder, "log"),
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    await writeFile(join(folder, "users"), `"${user}" "${password}"\n`);
    await writeFile(
      join(folder, "settings.ini"),
      ["[databases]", `* = host=127.0.0.1 port=${server}`, "[pgbouncer]", ...lines, ""].join("\n"),
    );
    if (owner.uid !== undefined && owner.gid !== undefined)
      for (const each of [".", "users", "settings.ini"]) await chown(join(folder, each), owner.uid, owner.gid);
    const process = spawn("/usr/sbin/pgbouncer", [join(folder, "settings.ini")], { ...owner, stdio: "ignore" });
    const started = new LocalPooler(folder, port, process);
    await waitUntil("PgBouncer listens", () => listens(port));
    return started;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      const ended = once(this.#process, "exit");
      this.#process.kill("SIGTERM");
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => {
      resolve(false);
    });
  });
}
