import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Host, OperationContext } from "../host.ts";
import { backupPhases, releasePhases } from "../protocol/phases.ts";
import type { OperationEvent } from "../protocol/wire.ts";

const holdPollMs = 20;
/** A log line may have any length; one message of the protocol may not. In characters. */
const longestMessage = 4000;

/** Whose context it is. */
export interface ContextOwner {
  key: string;
  app: string;
  /** Label of the holder. */
  by: string;
  signal: AbortSignal;
  redact: (text: string) => string;
  /** Is told each event once it is in the journal. */
  notify: (event: OperationEvent) => void;
}

/** What an operation tells goes into the journal first, free of secrets, then to whoever is attached. */
export function operationContext(host: Host, owner: ContextOwner): OperationContext {
  const { key, app, by, signal, redact, notify } = owner;
  const tell = (type: OperationEvent["type"], name: string, message: string): void => {
    const text = shortened(redact(message));
    try {
      notify(host.journal.addEvent(key, { atMs: Date.now(), type, name, message: text }));
    } catch (error) {
      // A disk that is full must keep nothing from being undone.
      host.log.error({ key, reason: String(error) }, "what an operation told could not be written down");
    }
  };
  return {
    key,
    by,
    signal,
    redact,
    enter: async (phase) => {
      host.journal.enter(key, phase);
      tell("phase", phase, "");
      await host.records.keep(app);
      await holdAt(host, phase, signal);
    },
    step: (name, message) => {
      tell("step", name, message);
    },
    warn: (name, message) => {
      tell("warning", name, message);
    },
    log: (service, line) => {
      tell("log", service, line);
    },
  };
}

/** Waits while the host's owner holds this phase (a file of its name), to look at or to break off an operation there. */
export async function holdAt(host: Host, phase: string, signal: AbortSignal): Promise<void> {
  const known: readonly string[] = [...releasePhases, ...backupPhases];
  if (!known.includes(phase)) return;
  while (isHeld(host, phase)) await sleep(holdPollMs, undefined, { signal });
}

/** Whether the host's owner holds what has this name: a phase, or the agent's own look around (`sweep`). */
export function isHeld(host: Host, name: string): boolean {
  return existsSync(join(host.paths.hold, name));
}

function shortened(text: string): string {
  return text.length <= longestMessage ? text : `${text.slice(0, longestMessage)}… (${text.length} characters)`;
}
