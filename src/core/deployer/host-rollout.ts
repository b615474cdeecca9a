import type { EngineEvent } from "../engine/engine-event.ts";
import type { ProgramLoader } from "../engine/language-server.ts";
import { hostsStack } from "./host-files.ts";

/** A run of the stack `hosts` for one of its hosts. */
export interface HostsStackRun {
  /** Folder of Pulumi.yaml. */
  readonly folder: string;
  /** Name of the host; the others of the stack are left alone. */
  readonly host: string;
  readonly program: ProgramLoader;
  readonly waitForLockMs: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: EngineEvent) => void;
  /** What is being done on the host. */
  readonly onStep: (message: string) => void;
}

/**
 * Brings one host to what the stack `hosts` says of it, and records that in the stack's state.
 *
 * @throws what the engine's run throws, such as PASSPHRASE_MISSING or the agent's own error
 */
export async function runHostsStack({ folder, host, program, waitForLockMs, signal, onEvent, onStep }: HostsStackRun): Promise<void> {
  const { runStack } = await import("../engine/run-stack.ts");
  await runStack({
    workDir: folder,
    stackName: hostsStack,
    operation: "up",
    program,
    message: `ikoma host bootstrap ${host}`,
    waitForLockMs,
    // Host, provider and agent are all named for the host. The variable stands for the flag --target.
    env: { PULUMI_OPTION_TARGET: `urn:pulumi:${hostsStack}::**::${host}` },
    ...(signal !== undefined && { signal }),
    ...(onEvent !== undefined && { onEvent }),
    onProviderEvent: (_urn, event) => {
      onStep(event.message);
    },
    onRepair: onStep,
  });
}
