import { connect, type Socket } from "node:net";
import type { FrameQueue } from "../../core/link/frame-queue.ts";
import { maxWaitingBytes, type Frame } from "../../core/link/link-protocol.ts";
import { readLines } from "../line-reader.ts";
import { maxMessageBytes } from "../protocol/wire.ts";

/**
 * The channels of a session, each a connection to the agent's own socket: a caller that comes through the API is served
 * as any other, its lease ends with its connection as well.
 */
export class ChannelSockets {
  readonly #path: string;
  readonly #answers: FrameQueue;
  readonly #onAnswer: () => void;
  readonly #sockets = new Map<string, Socket>();

  /** What is said on a channel goes into `answers`. */
  constructor(path: string, answers: FrameQueue, onAnswer: () => void) {
    this.#path = path;
    this.#answers = answers;
    this.#onAnswer = onAnswer;
  }

  take(frame: Frame): void {
    const { channel } = frame;
    if ("line" in frame) (this.#sockets.get(channel) ?? this.#open(channel)).write(`${frame.line}\n`);
    else this.#sockets.get(channel)?.destroy();
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  #open(channel: string): Socket {
    const socket = connect(this.#path);
    this.#sockets.set(channel, socket);
    readLines(socket, maxMessageBytes, (line) => {
      // Nobody takes what is said: the caller would miss something, and is to know it.
      if (this.#answers.bytes > maxWaitingBytes) socket.destroy();
      else this.#say({ channel, line });
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#sockets.delete(channel);
      this.#say({ channel, closed: true });
    });
    return socket;
  }

  #say(frame: Frame): void {
    this.#answers.push(frame);
    this.#onAnswer();
  }
}
