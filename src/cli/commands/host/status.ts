import type { CommandModule } from "yargs";
import type { HostStatus } from "../../../core/hosts/host-status.ts";
import { IkomaError, isErrorCode } from "../../../core/errors.ts";
import type { GlobalArguments } from "../../global-options.ts";

interface StatusArguments extends GlobalArguments {
  readonly name: string | undefined;
}

/** `ikoma host status`: asks the agents of the hosts themselves; needs neither the engine nor a passphrase. */
const command: CommandModule<GlobalArguments, StatusArguments> = {
  command: "status [name]",
  describe: "How the servers are: versions, disk, clock, apps, edge",
  builder: (parser) =>
    parser
      .positional("name", { type: "string", describe: "One host; all of the project's without it" })
      .example("$0 host status", "All hosts; those that do not answer are told with the reason"),
  handler: showStatus,
};

export default command;

async function showStatus(argv: StatusArguments): Promise<void> {
  const [{ findHost, readHostFiles }, { readHostStatus }] = await Promise.all([
    import("../../../core/hosts/host-files.ts"),
    import("../../../core/hosts/host-status.ts"),
  ]);
  const all = await readHostFiles(argv.cwd);
  const files = argv.stack === undefined ? all : all.filter((file) => file.stack === argv.stack);
  if (argv.stack !== undefined && files.length === 0) {
    const stacks = all.map(({ stack }) => stack).join(", ");
    throw new IkomaError("STACK_NOT_FOUND", `There is no Pulumi.${argv.stack}.yaml in ${argv.cwd}.`, {
      hint: `There are: ${stacks === "" ? "none" : stacks}.`,
    });
  }
  const names = argv.name === undefined ? [...new Set(files.flatMap((file) => Object.keys(file.hosts)))] : [argv.name];
  if (names.length === 0) {
    throw new IkomaError("CONFIG_MISSING", "No stack's file knows a host.", {
      hint: "Run `ikoma host trust NAME ADDRESS` first.",
    });
  }
  const hosts = await Promise.all(names.map((name) => readHostStatus(name, findHost(files, name).host)));
  if (argv.name !== undefined) throwFailure(hosts[0]);
  const [{ printResult }, { renderHosts }] = await Promise.all([
    import("../../output/envelope.ts"),
    import("./status-view.ts"),
  ]);
  printResult({ kind: "HostStatus", data: { hosts }, human: () => renderHosts(hosts) }, argv);
}

/** Somebody who asks for one host wants to know by the exit code as well. */
function throwFailure(host: HostStatus | undefined): void {
  if (host?.error === undefined) return;
  const { code, message, hint } = host.error;
  throw new IkomaError(isErrorCode(code) ? code : "INTERNAL", message, { hint });
}
