import type { EngineEvent } from "../engine/engine-event.ts";
import type { ProgramLoader } from "../engine/language-server.ts";
import { isStep, stepOf } from "../engine/command-step.ts";
import { hostFilePath, hostsStack, readHostFiles } from "./host-files.ts";

/** A run of the stack `hosts` for one of its hosts. */
export interface HostsStackRun {
  /** Folder of Pulumi.yaml. */
  readonly folder: string;
  /** Name of the host; the others of the stack are left alone. */
  readonly host: string;
  /** Only the steps that prepare the host; agent and edge stay as they are. */
  readonly only?: "preparation" | undefined;
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
  const { folder, host, only, program, waitForLockMs, signal, onEvent, onStep } = run;
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
      env: {
        // Who has steps needs a plugin that the engine may fetch, unless somebody said that it may not.
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION:
          process.env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] ?? "false",
        // Stands for the flag --target, which keeps the engine from removing the others.
        PULUMI_OPTION_TARGET: targetsOf(hostsStack, host, only).join(","),
      },
      ...(configFile !== undefined && { configFile }),
      ...(signal !== undefined && { signal }),
      onEvent: (event) => {
        const message = preparationStep(event);
        if (message !== undefined) onStep(message);
        onEvent?.(event);
      },
      onProviderEvent: (_urn, event) => {
        onStep(event.message);
      },
      onRepair: onStep,
    });
  };
  if (hidden.length === 0) await start();
  else await withConfigOverride(hostFilePath(folder, hostsStack), hidden, start);
}

/** Host, provider and agent are all named for the host, its steps `<host>/<step>`; `*` stops at a colon. */
export function targetsOf(stack: string, host: string, only?: HostsStackRun["only"]): string[] {
  const prefix = `urn:pulumi:${stack}::`;
  const whole = only === "preparation" ? `${prefix}*::ikoma:index:VpsHost::${host}` : `${prefix}**::${host}`;
  return [whole, `${prefix}**::${host}/*`];
}

const stepWords: Readonly<Record<string, string>> = {
  create: "",
  "create-replacement": "",
  delete: "undoing ",
  "delete-replaced": "undoing ",
};

/** What is being done of the host's preparation, where the event tells it. */
function preparationStep(event: EngineEvent): string | undefined {
  if (event.type !== "step" || !isStep(event.step.urn)) return undefined;
  const word = stepWords[event.step.op];
  return word === undefined ? undefined : word + stepOf(event.step.urn).step;
}
