import { connect, type Socket } from "node:net";
import * as z from "zod";
import { readLines } from "../line-reader.ts";
import { maxMessageBytes } from "../protocol/wire.ts";

/** Only what every version of the protocol has. */
const answer = z.looseObject({
  error: z.looseObject({ message: z.string(), data: z.looseObject({ code: z.string() }).optional() }).optional(),
  result: z.unknown().optional(),
});
const statusOfAnyVersion = z.looseObject({
  apps: z.array(
    z.looseObject({
      app: z.string(),
      operation: z.looseObject({ kind: z.string(), by: z.string() }).optional(),
    }),
  ),
});

const answerDeadlineMs = 30_000;

/** The agent that is being replaced, over its socket. It may be older, and know less of the protocol. */
export class Predecessor {
  readonly #socket: Socket;
  #next = 0;
  #onLine: (line: string) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    readLines(socket, maxMessageBytes, (line) => {
      this.#onLine(line);
    });
  }

  /** Undefined where nobody listens. */
  static connect(path: string): Promise<Predecessor | undefined> {
    return new Promise((resolve) => {
      const socket = connect(path);
      socket.once("connect", () => {
        resolve(new Predecessor(socket));
      });
      socket.on("error", () => {
        resolve(undefined);
      });
    });
  }

  /**
   * Asks it to stand back.
   *
   * @returns what is under way and must end first, or undefined: from now on it begins nothing, while this connection
   *   lives. One that is too old to be asked only tells whether anything is under way.
   */
  async yield(): Promise<string | undefined> {
    const { error } = await this.#ask("agent.yield");
    if (error === undefined) return undefined;
    if (error.data?.code === "DEPLOY_IN_PROGRESS") return error.message;
    const { result } = await this.#ask("app.status");
    const busy = statusOfAnyVersion.safeParse(result).data?.apps.find((each) => each.operation !== undefined);
    return busy && `${busy.operation?.kind ?? ""} of ${busy.app} by ${busy.operation?.by ?? ""} is under way.`;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(method: string): Promise<z.infer<typeof answer>> {
    const id = (this.#next += 1);
    const line = new Promise<string>((resolve, reject) => {
      const fail = (): void => {
        clearTimeout(timer);
        reject(new Error(`the agent before did not answer ${method}`));
      };
      const timer = setTimeout(fail, answerDeadlineMs);
      this.#onLine = (text) => {
        clearTimeout(timer);
        resolve(text);
      };
      this.#socket.once("close", fail);
    });
    this.#socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params: {} })}\n`);
    return answer.parse(JSON.parse(await line));
  }
}
