import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { childMessageSchema } from "./control-messages.ts";
import type { ChildMessage, ParentMessage } from "./control-messages.ts";
import { streamSetSchema } from "./stream-options.ts";
import type { StreamOptionsInput } from "./stream-options.ts";
import type { AllowedVersion, LoadReport } from "./stream-report.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
/** Requests in flight may take their whole time-out (at most 60 s) to end. */
const ANSWER_TIMEOUT_MS = 90_000;

/**
 * Load from a process of its own, so that a busy test does not disturb it. It ends when its parent does.
 *
 * @example
 * await using load = await LoadProcess.start([{ url, ratePerSecond: 200, mode: "keep-alive" }]);
 * const switchedAtMs = await load.mark("switch");
 * const report = await load.stop([{ version: "v1", toMs: switchedAtMs + 1000 }, { version: "v2", fromMs: switchedAtMs }]);
 */
export class LoadProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when the streams run. Throws if the options break a limit or name an address that is not allowed. */
  static async start(streams: readonly StreamOptionsInput[]): Promise<LoadProcess> {
    const checked = streamSetSchema.parse(streams);
    // Not the parent's: a test runner's flags would change how the child runs.
    const load = new LoadProcess(fork(MAIN, ["--controlled"], { execArgv: [] }));
    try {
      await load.#ask({ type: "start", streams: checked }, "started");
    } catch (error) {
      load.#child.kill();
      throw error;
    }
    return load;
  }

  /** Notes the present instant in the report; resolves to it, in milliseconds since the epoch. */
  async mark(label: string): Promise<number> {
    return (await this.#ask({ type: "mark", label }, "marked")).atMs;
  }

  /**
   * Stops sending, waits for what is in flight, ends the process and returns the report. With `allowed`, each stream
   * also says which answers came from a version that should not have answered at that time.
   */
  async stop(allowed?: readonly AllowedVersion[]): Promise<LoadReport> {
    const message: ParentMessage = { type: "stop", ...(allowed && { allowed: [...allowed] }) };
    const { report } = await this.#ask(message, "report");
    this.#child.disconnect();
    return report;
  }

  /** Ends the process without a report, if it still runs. */
  [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return Promise.resolve();
    const exited = new Promise<void>((resolve) =>
      this.#child.once("exit", () => {
        resolve();
      }),
    );
    this.#child.kill("SIGKILL");
    return exited;
  }

  /** One question at a time; the next message of the process is its answer. */
  async #ask<T extends ChildMessage["type"]>(
    message: ParentMessage,
    expected: T,
  ): Promise<Extract<ChildMessage, { type: T }>> {
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    const onExit = () => {
      ended.abort(new Error("the load process ended early"));
    };
    this.#child.once("exit", onExit);
    try {
      const answered = once(this.#child, "message", { signal });
      if (!this.#child.connected) onExit();
      else this.#child.send(message);
      const answer = childMessageSchema.parse(firstOf(await answered));
      if (isOfType(answer, expected)) return answer;
      throw new Error(answer.type === "error" ? answer.message : `unexpected answer "${answer.type}"`);
    } catch (error) {
      const reason: unknown = signal.aborted ? signal.reason : error;
      throw new Error(`load process: "${message.type}" failed: ${String(reason)}`, { cause: error });
    } finally {
      this.#child.off("exit", onExit);
    }
  }
}

function firstOf(values: readonly unknown[]): unknown {
  return values[0];
}

function isOfType<T extends ChildMessage["type"]>(
  message: ChildMessage,
  type: T,
): message is Extract<ChildMessage, { type: T }> {
  return message.type === type;
}
