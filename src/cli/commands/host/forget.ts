import { basename } from "node:path";
import type { CommandModule } from "yargs";
import type { ForgottenStack } from "../../../core/hosts/host-forget.ts";
import { requireConsent } from "../../confirm.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { listenForInterrupt } from "../../interrupt.ts";
import { withEngineOptions, type EngineArguments } from "../deploy/deploy-options.ts";

interface ForgetArguments extends EngineArguments {
  readonly name: string;
  readonly force: boolean;
}

/** `ikoma host forget`: lets go of a server that is no more, or not ours any more, without asking it. */
const command: CommandModule<GlobalArguments, ForgetArguments> = {
  command: "forget <name>",
  describe: "Let go of a server that is dead or given away: state and settings forget it, nothing is dialled",
  builder: (parser) =>
    withEngineOptions(parser)
      .positional("name", { type: "string", demandOption: true, describe: "Name of the host, as trusted" })
      .option("force", {
        type: "boolean",
        default: false,
        describe: "Although apps are configured on it: their settings stay, and need another host then",
      })
      .example("$0 host forget vps1", "List what is forgotten, ask, forget it in every stack of the folder")
      .example("$0 host forget vps1 -s prod --yes", "Only in the stack prod, without asking"),
  handler: forgetHost,
};

export default command;

async function forgetHost(argv: ForgetArguments): Promise<void> {
  requireConsent(argv, process, {
    message: `This makes the stacks forget ${argv.name}, and nobody is there to be asked.`,
    hint: "Add --yes to go on without being asked.",
  });
  const [{ forgetInStack, planForget, refuseInUse }, { confirm }, { printResult }] = await Promise.all([
    import("../../../core/hosts/host-forget.ts"),
    import("../../confirm.ts"),
    import("../../output/envelope.ts"),
  ]);
  const stacks = await planForget(argv.cwd, argv.name, argv.stack);
  if (!argv.force) refuseInUse(argv.name, stacks);
  const lines = stacks.map(renderStack);
  if (!argv.json) process.stderr.write(`${argv.name}, to be forgotten:\n${lines.join("\n")}\n`);
  using interrupt = listenForInterrupt({ onCancel: () => undefined });
  if (!argv.yes) await confirm(`Forget ${argv.name}? Nothing is changed on the server itself.`, interrupt.signal);
  const run = {
    folder: argv.cwd,
    host: argv.name,
    waitForLockMs: argv["wait-for-lock"] * 1000,
    signal: interrupt.signal,
    onRepair: (text: string) => process.stderr.write(`${text}\n`),
  };
  for (const stack of stacks) await forgetInStack(run, stack);
  const data = {
    host: argv.name,
    stacks: stacks.map(({ stack, path, isConfigured, apps, resources }) => ({
      stack,
      path,
      isConfigured,
      apps,
      resources,
    })),
  };
  printResult({ kind: "HostForgotten", data, human: () => renderForgotten(argv.name, stacks) }, argv);
}

function renderStack({ stack, path, resources, isConfigured, apps }: ForgottenStack): string {
  const parts = [
    resources.length === 0 ? "nothing in its state" : resources.join(", "),
    ...(isConfigured ? [`the entry in ${basename(path)}`] : []),
    ...(apps.length === 0 ? [] : [`(still configured on it: ${apps.join(", ")})`]),
  ];
  return `  ${stack}: ${parts.join("; ")}`;
}

function renderForgotten(host: string, stacks: readonly ForgottenStack[]): string {
  const homeless = stacks.flatMap(({ path, apps }) => apps.map((app) => `${app} in ${basename(path)}`));
  const files = stacks.filter(({ isConfigured }) => isConfigured).map(({ path }) => basename(path));
  return [
    `${host} is forgotten. If the server still lives, what runs there runs on, and its data stays.`,
    ...(files.length === 0 ? [] : [`${files.join(", ")} changed: commit it.`]),
    ...(homeless.length === 0 ? [] : [`Give another host to ${homeless.join(", ")} before the next deploy.`]),
  ].join("\n");
}
