import type { Duplex } from "node:stream";
import * as z from "zod";
import { methods } from "../../agent/protocol/methods.ts";
import { maxMessageBytes, rpcMessage } from "../../agent/protocol/wire.ts";
import type { Method, Params, Result } from "../../agent/protocol/methods.ts";
import type { EventNotification, WireError } from "../../agent/protocol/wire.ts";
import { IkomaError, isErrorCode } from "../errors.ts";
import { LineSplitter } from "./line-splitter.ts";

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The agent's protocol over one stream: requests with their answers, and events. */
export class RpcChannel {
  readonly #stream: Duplex;
  readonly #pending = new Map<number, Pending>();
  readonly #onEvent: (notification: EventNotification) => void;
  #nextId = 1;
  #lost: IkomaError | undefined;

  constructor(stream: Duplex, onEvent: (notification: EventNotification) => void) {
    this.#stream = stream;
    this.#onEvent = onEvent;
    const lines = new LineSplitter(maxMessageBytes, (line) => {
      this.#receive(line);
    });
    stream.on("data", (chunk: Buffer) => {
      if (this.#lost === undefined && !lines.push(chunk)) this.#lose("it sent a message longer than any may be");
    });
    // A stream through SSH says `end` or `error`, not always `close`, when the far side dies.
    for (const event of ["end", "close", "error"] as const) {
      stream.on(event, () => {
        this.#lose("the far side closed it");
      });
    }
    if (stream.destroyed) this.#lose("the far side closed it at once");
  }

  /**
   * One request; what both sides say is checked.
   *
   * @throws what the agent answered, AGENT_CONNECTION_LOST, TIMEOUT, AGENT_PROTOCOL
   */
  async call<M extends Method>(method: M, params: Params<M>, timeoutMs?: number): Promise<Result<M>> {
    const answer = await this.request(
      method,
      checked(methods[method].params, params, `our request ${method}`),
      timeoutMs,
    );
    return checked(methods[method].result, answer, `the answer to ${method}`) as Result<M>;
  }

  /** As {@link call}, with an answer that nobody has looked at: for what an agent of another version may say. */
  async request(method: string, params: unknown, timeoutMs?: number): Promise<unknown> {
    const id = this.#nextId++;
    const line = `${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`;
    if (Buffer.byteLength(line) > maxMessageBytes) {
      throw new IkomaError(
        "AGENT_PROTOCOL",
        `A request ${method} is larger than the agent takes (${maxMessageBytes} bytes).`,
      );
    }
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        if (this.#lost !== undefined) {
          reject(this.#lost);
          return;
        }
        this.#pending.set(id, { resolve, reject });
        this.#stream.write(line);
        if (timeoutMs === undefined) return;
        timer = setTimeout(() => {
          reject(new IkomaError("TIMEOUT", `The agent did not answer ${method} within ${timeoutMs / 1000} s.`));
        }, timeoutMs);
      });
    } finally {
      clearTimeout(timer);
      this.#pending.delete(id);
    }
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  close(): void {
    this.#lose("it was closed here");
  }

  #receive(line: string): void {
    const parsed = rpcMessage.safeParse(parseJson(line));
    if (!parsed.success) {
      this.#lose("it sent something that is no message of the protocol");
      return;
    }
    const message = parsed.data;
    if ("method" in message) {
      this.#onEvent(message.params);
      return;
    }
    const pending = this.#pending.get(message.id);
    if ("error" in message) pending?.reject(fromWire(message.error.data, message.error.message));
    else pending?.resolve(message.result);
  }

  #lose(why: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = new IkomaError("AGENT_CONNECTION_LOST", `The connection to the agent was lost: ${why}.`);
    for (const { reject } of this.#pending.values()) reject(this.#lost);
    this.#stream.destroy();
  }
}

/** An error as the agent sent it; a code that this version does not know becomes INTERNAL, with the code in its details. */
export function fromWire(error: WireError | undefined, message: string): IkomaError {
  if (error === undefined) return new IkomaError("AGENT_PROTOCOL", message);
  const { code, hint, details } = error;
  if (isErrorCode(code)) return new IkomaError(code, error.message, { hint, details });
  return new IkomaError("INTERNAL", error.message, { hint, details: { ...details, code } });
}

function checked<S extends z.ZodType>(schema: S, value: unknown, what: string): z.infer<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new IkomaError("AGENT_PROTOCOL", `The protocol does not allow ${what}: ${z.prettifyError(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
