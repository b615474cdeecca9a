import type { CommandModule } from "yargs";
import type { BootstrapReporter } from "../../../core/hosts/host-bootstrap.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { listenForInterrupt } from "../../interrupt.ts";
import type { Progress } from "../../output/progress.ts";
import { cliVersion } from "../../version.ts";
import { readLogin, type LoginArguments } from "./registry-login.ts";

interface BootstrapArguments extends GlobalArguments, LoginArguments {
  readonly name: string;
  readonly install: boolean;
  readonly "api-token-file": string | undefined;
}

const lockPatienceMs = 60_000;

/** `ikoma host bootstrap`: makes a server ready for apps; repeatable. */
const command: CommandModule<GlobalArguments, BootstrapArguments> = {
  command: "bootstrap <name>",
  describe: "Make a server ready: check it, put agent and edge there, record it in the stack hosts",
  builder: (parser) =>
    parser
      .positional("name", { type: "string", demandOption: true, describe: "Name of the host, as trusted" })
      .option("install", {
        type: "boolean",
        default: false,
        describe: "Install what is missing: the Docker engine, docker compose",
      })
      .option("registry", { ...oneText, describe: "Registry that the host pulls images from" })
      .option("registry-user", { ...oneText, describe: "User for it" })
      .option("registry-password-stdin", {
        type: "boolean",
        default: false,
        describe: "Read the password or token from stdin",
      })
      .option("api-token-file", {
        ...oneText,
        describe: "File with the token that its agent proves itself to the Bridge's API with",
      })
      .example("$0 host bootstrap vps1 --install", "A fresh Debian or Ubuntu server")
      .example("$0 host bootstrap vps1", "Again: upgrades the agent to this version, or changes nothing"),
  handler: bootstrap,
};

export default command;

async function bootstrap(argv: BootstrapArguments): Promise<void> {
  const startedMs = performance.now();
  const [{ findHost, hostsStack, readHostFiles }, { findDeployProject }] = await Promise.all([
    import("../../../core/hosts/host-files.ts"),
    import("../../../core/project/deploy-project.ts"),
  ]);
  const { host: way, setup, isPrepared } = findHost(await readHostFiles(argv.cwd), argv.name);
  const { prewarm } = await import("../../../core/transport/host-agent.ts");
  await prewarm(way);
  await findDeployProject(argv.cwd, hostsStack);
  const login = await readLogin(argv);
  const apiToken = await readTokenOption(argv["api-token-file"]);
  const [{ bootstrapHost }, { runHostsStack }, { createProgress }, { printResult }, { formatDuration }] =
    await Promise.all([
      import("../../../core/hosts/host-bootstrap.ts"),
      import("../../../core/hosts/host-rollout.ts"),
      import("../../output/progress.ts"),
      import("../../output/envelope.ts"),
      import("../../output/quantities.ts"),
    ]);
  const progress = createProgress(argv);
  const reporter = new ProgressReporter(progress);
  using interrupt = listenForInterrupt({
    onCancel: () => {
      progress.message("Cancelling after this step. Press Ctrl-C again to leave at once.", "warning");
    },
  });
  try {
    const { signal } = interrupt;
    const run = { folder: argv.cwd, host: argv.name, program: hostsProgram, waitForLockMs: lockPatienceMs, signal };
    const request = {
      name: argv.name,
      way,
      ...(apiToken !== undefined && { apiToken }),
      setup,
      version: cliVersion,
      install: argv.install,
      rollOut: (onStep: (message: string) => void) => runHostsStack({ ...run, onStep }),
      ...(isPrepared && {
        prepare: (onStep: (message: string) => void) => runHostsStack({ ...run, onStep, only: "preparation" as const }),
      }),
    };
    const handshake = await bootstrapHost({ ...request, ...(login !== undefined && { login }) }, reporter);
    progress.close();
    const durationMs = Math.round(performance.now() - startedMs);
    const { isChanged: changed } = reporter;
    const what = changed ? "is ready" : "was ready, nothing was changed";
    const human = `${argv.name} ${what} (${formatDuration(durationMs)})`;
    printResult({ kind: "HostBootstrapped", data: { name: argv.name, changed, durationMs, handshake }, human }, argv);
  } finally {
    progress.close();
  }
}

async function readTokenOption(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const { readAgentToken } = await import("../../../core/transport/api-token-source.ts");
  return readAgentToken(file);
}

/** The program of the stack hosts; it and the SDK are loaded when the engine has been started. */
async function hostsProgram(): Promise<() => Promise<Record<string, unknown>>> {
  const { hosts } = await import("../../../../stacks/hosts.ts");
  return hosts;
}

class ProgressReporter implements BootstrapReporter {
  isChanged = false;
  readonly #progress: Progress;

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  step: BootstrapReporter["step"] = async (title, work) => {
    const progress = this.#progress;
    progress.begin({ id: title, title });
    try {
      const { value, changed, text } = await work((note) => {
        progress.note(title, note);
      });
      this.isChanged ||= changed;
      progress.end(title, changed ? "done" : "unchanged", text);
      return value;
    } catch (error) {
      progress.end(title, "failed");
      throw error;
    }
  };

  warn(text: string): void {
    this.#progress.message(text, "warning");
  }
}
