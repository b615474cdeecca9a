import { spawn } from "node:child_process";
import { connect } from "node:net";
import { Readable } from "node:stream";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { IkomaError } from "../errors.ts";
import { withoutOwnSecrets } from "../own-secrets.ts";
import { userName } from "../user-name.ts";
import type { ExecOptions, ExecResult, SshConnection } from "./ssh-connection.ts";

const execTimeoutMs = 60_000;

/** This very machine in the place of one that is reached over SSH: commands are run in a shell of this process's user. */
export class LocalShell implements SshConnection {
  readonly host = { address: "this machine", port: 22, user: userName() };
  readonly closed = Promise.withResolvers<undefined>().promise;
  readonly isLost = false;

  async exec(command: string, { input, timeoutMs = execTimeoutMs }: ExecOptions = {}): Promise<ExecResult> {
    // A group of its own, so that what it started ends with it.
    const child = spawn("sh", ["-c", command], {
      stdio: ["pipe", "pipe", "pipe"],
      env: withoutOwnSecrets(),
      detached: true,
    });
    const ended = Promise.withResolvers<number | null>();
    const timer = setTimeout(() => {
      const message = `A command on this machine did not end within ${timeoutMs / 1000} s.`;
      ended.reject(new IkomaError("TIMEOUT", message));
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }, timeoutMs);
    child.stdin.on("error", () => undefined); // the command need not read all that it is sent
    if (input instanceof Readable) input.pipe(child.stdin);
    else child.stdin.end(input);
    child.once("error", ended.reject).once("close", ended.resolve);
    try {
      const [code, stdout, stderr] = await Promise.all([ended.promise, text(child.stdout), text(child.stderr)]);
      return { code, stdout, stderr };
    } finally {
      clearTimeout(timer);
    }
  }

  forwardUnix(path: string): Promise<Duplex> {
    return Promise.resolve(connect(path));
  }

  execStream(): Promise<Duplex> {
    return Promise.reject(new Error("this machine's sockets need no command"));
  }

  close(): void {
    // There is nothing to close.
  }
}
