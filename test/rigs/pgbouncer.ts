import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../lab/wait-until.ts";
import { end, hasEnded, onOwnPort } from "./own-port.ts";
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
    const settings = {
      listen_addr: "127.0.0.1",
      unix_socket_dir: "",
      auth_type: "scram-sha-256",
      auth_file: join(folder, "users"),
      pool_mode: mode,
      default_pool_size: size,
      logfile: join(folder, "log"),
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
    await writeFile(join(folder, "users"), `"${user}" "${password}"\n`);
    const file = join(folder, "settings.ini");
    const text = ["[databases]", `* = host=127.0.0.1 port=${server}`, "[pgbouncer]", ...lines, ""].join("\n");
    await writeFile(file, text);
    if (owner.uid !== undefined && owner.gid !== undefined)
      for (const each of [".", "users", "settings.ini"]) await chown(join(folder, each), owner.uid, owner.gid);
    return onOwnPort([30_000, 32_000], async (port) => {
      await writeFile(file, `${text}listen_port = ${port}\n`);
      const started = new LocalPooler(
        folder,
        port,
        spawn("/usr/sbin/pgbouncer", [file], { ...owner, stdio: "ignore" }),
      );
      return (await started.#listens()) ? started : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#process, "SIGTERM");
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Waits until it says that it has the port, or has ended without it. */
  async #listens(): Promise<boolean> {
    const says = async (): Promise<boolean> => {
      const log = await readFile(join(this.#folder, "log"), "utf8").catch(() => "");
      return log.includes(`listening on 127.0.0.1:${this.port}\n`);
    };
    await waitUntil("PgBouncer listens", async () => hasEnded(this.#process) || (await says()));
    return !hasEnded(this.#process);
  }
}
