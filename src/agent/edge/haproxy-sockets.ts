import { connect } from "node:net";
import type { Socket } from "node:net";
import { IkomaError } from "../../core/errors.ts";

/** Sends one command of HAProxy's runtime API and gives its answer, trimmed. */
export type RunCommand = (command: string) => Promise<string>;

const promptText = "\n> ";

/**
 * Opens the runtime socket for several commands, in prompt mode: each answer ends with a prompt, so it is
 * known which command it belongs to. (Commands joined by `;` would save round trips of some 0.1 ms each, and
 * lose that.)
 * @throws IkomaError EDGE_FAILED when HAProxy does not answer or `signal` is aborted
 */
export async function withRuntime<T>(
  path: string,
  signal: AbortSignal,
  use: (run: RunCommand) => Promise<T>,
): Promise<T> {
  const conversation = new Conversation(path, signal);
  try {
    await conversation.run("prompt");
    return await use((command) => conversation.run(command));
  } finally {
    conversation.close();
  }
}

/**
 * One command to the master, or through it to any worker (`@!PID show info`); the answer is all that comes
 * until HAProxy closes.
 * @throws IkomaError EDGE_FAILED as {@link withRuntime}
 */
export async function askMaster(path: string, signal: AbortSignal, command: string): Promise<string> {
  const conversation = new Conversation(path, signal);
  try {
    return await conversation.untilClosed(command);
  } finally {
    conversation.close();
  }
}

/**
 * Runs a command whose answer is known beforehand: HAProxy has no error codes, so any other text is a failure.
 * @throws IkomaError EDGE_FAILED with the command and what HAProxy said
 */
export async function expectAnswer(run: RunCommand, command: string, expected: RegExp): Promise<string> {
  const answer = await run(command);
  if (expected.test(answer)) return answer;
  throw new IkomaError("EDGE_FAILED", `HAProxy refused "${command}": ${answer === "" ? "(no text)" : answer}`, {
    details: { command, answer },
  });
}

/** A line-based talk over a unix socket; every wait in it ends when the socket closes or the signal aborts. */
class Conversation {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #signal: AbortSignal;
  #received = "";
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(path: string, signal: AbortSignal) {
    this.#path = path;
    this.#signal = signal;
    this.#socket = connect({ path });
    this.#socket.setEncoding("utf8");
    this.#socket.on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    this.#socket.on("error", (error) => {
      this.#failure = error;
    });
    this.#socket.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
    signal.addEventListener("abort", this.#abort);
    if (signal.aborted) this.#abort();
  }

  async run(command: string): Promise<string> {
    this.#received = "";
    this.#socket.write(`${command}\n`);
    while (!this.#received.endsWith(promptText)) await this.#more(command);
    return this.#received.slice(0, -promptText.length).trim();
  }

  async untilClosed(command: string): Promise<string> {
    // The master keeps the connection until our half of it ends. (`quit` after the command does not do: 3.0
    // leaves the connection open when the command was for a worker that is gone.)
    this.#socket.end(`${command}\n`);
    while (!this.#ended) await this.#more(command);
    if (this.#failure !== undefined && this.#received === "") this.#fail(command);
    return this.#received.trim();
  }

  close(): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.#socket.destroy();
  }

  async #more(command: string): Promise<void> {
    if (this.#isOver()) this.#fail(command);
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#signal.aborted) this.#fail(command);
  }

  #isOver(): boolean {
    return this.#signal.aborted || this.#ended;
  }

  #fail(command: string): never {
    const why = this.#signal.aborted
      ? "within the time allowed"
      : `at ${this.#path} (${this.#failure?.message ?? "it closed the connection"})`;
    throw new IkomaError("EDGE_FAILED", `HAProxy did not answer "${command}" ${why}.`, {
      cause: this.#failure ?? this.#signal.reason,
    });
  }

  readonly #abort = (): void => {
    this.#socket.destroy();
    this.#wake();
  };
}
