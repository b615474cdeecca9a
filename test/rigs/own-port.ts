import type { ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import process from "node:process";

const mostTries = 10;

/**
 * Starts a server on a port of its own: on another one where it does not come up because somebody else has it.
 *
 * @param start undefined where the port was somebody else's
 */
export async function onOwnPort<T>(
  [from, to]: readonly [from: number, to: number],
  start: (port: number) => Promise<T | undefined>,
): Promise<T> {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const started = await start(randomInt(from, to));
    if (started !== undefined) return started;
  }
  throw new Error(`it came up on none of ${mostTries} ports from ${from} to ${to}`);
}

/**
 * A port that nobody listens on, and neither on the one after it. The kernel gives out none of these by itself, and no
 * other worker of Jest draws from the same: they stay free until they are listened on.
 */
export function freePair(): Promise<number> {
  const from = 10_000 + 500 * (Number(process.env["JEST_WORKER_ID"] ?? 0) % 16);
  return onOwnPort([from, from + 499], async (port) =>
    (await isFree(port)) && (await isFree(port + 1)) ? port : undefined,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => {
      resolve(false);
    });
    server.listen(port, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

/** Whether a process is there no more. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Ends a process, unless it has ended by itself, and waits for that. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}
