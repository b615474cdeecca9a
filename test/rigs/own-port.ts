import type { ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";

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

/** Whether a process is there no more. */
export function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** Ends a process, unless it has ended by itself, and waits for that. */
export async function end(process: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(process)) return;
  const ended = once(process, "exit");
  process.kill(signal);
  await ended;
}
