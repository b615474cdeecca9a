import type { EngineEvent } from "../engine/engine-event.ts";
import type { ProgramLoader } from "../engine/language-server.ts";
import { hostFilePath, hostsStack, readHostFiles } from "./host-files.ts";

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
export async function runHostsStack(run: HostsStackRun): Promise<void> {
  const [{ runStack }, { withConfigOverride }] = await Promise.all([
    import("../engine/run-stack.ts"),
    import("../engine/stack-config-file.ts"),
  ]);
  const { folder, host, program, waitForLockMs, signal, onEvent, onStep } = run;
  // The engine refuses to leave out a host that it has never made; the program of this run does not know of it.
  const others = (await readHostFiles(folder)).find((file) => file.stack === hostsStack);
  const hide = (key: string, names: string[]) =>
    names.filter((name) => name !== host).map((name) => ({ path: [key, name], value: undefined }));
  const hidden = [
    ...hide("ikoma:hosts", Object.keys(others?.hosts ?? {})),
    ...hide("ikoma:setup", Object.keys(others?.setup ?? {})),
  ];
  const start = async (configFile?: string): Promise<void> => {
    await runStack({
      workDir: folder,
      stackName: hostsStack,
      operation: "up",
      program,
      message: `ikoma host bootstrap ${host}`,
      waitForLockMs,
      // Host, provider and agent are all named for the host. The variable stands for the flag --target, which keeps
      // the engine from removing the others.
      env: { PULUMI_OPTION_TARGET: `urn:pulumi:${hostsStack}::**::${host}` },
      ...(configFile !== undefined && { configFile }),
      ...(signal !== undefined && { signal }),
      ...(onEvent !== undefined && { onEvent }),
      onProviderEvent: (_urn, event) => {
        onStep(event.message);
      },
      onRepair: onStep,
    });
  };
  if (hidden.length === 0) await start();
  else await withConfigOverride(hostFilePath(folder, hostsStack), hidden, start);
}
