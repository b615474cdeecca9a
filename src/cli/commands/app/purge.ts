import { randomUUID } from "node:crypto";
import type { CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { listenForInterrupt } from "../../interrupt.ts";
import type { Leftovers } from "./purge-view.ts";

interface PurgeArguments extends GlobalArguments {
  readonly app: string;
  readonly host: string | undefined;
  readonly confirm: string | undefined;
}

/** `ikoma app purge`: deletes the data of an app that was removed. The only command that deletes any. */
const command: CommandModule<GlobalArguments, PurgeArguments> = {
  command: "purge <app>",
  describe: "Delete the data of a removed app for good: its volumes, its images, its history",
  builder: (parser) =>
    parser
      .positional("app", {
        type: "string",
        demandOption: true,
        describe: "Name of the app, which no stack has any more",
      })
      .option("host", { ...oneText, describe: "Host that it was on, where the stack knows several" })
      .option("confirm", { ...oneText, describe: "The app's name again, instead of typing it; --yes does not do" })
      .example("$0 app purge shop -s prod", "List what is deleted, with sizes, and have the name typed")
      .example("$0 app purge shop -s prod --confirm shop", "In a script"),
  handler: purge,
};

export default command;

async function purge(argv: PurgeArguments): Promise<void> {
  requireName(argv);
  const [{ findPurgeHost }, { withAgent }, { deletable, isNothing, renderLeftovers, renderPurged }, { printResult }] =
    await Promise.all([
      import("../../../core/hosts/purge-host.ts"),
      import("../../host-agent.ts"),
      import("./purge-view.ts"),
      import("../../output/envelope.ts"),
    ]);
  const { app } = argv;
  const { name, host: way } = await findPurgeHost(argv.cwd, argv.stack, app, argv.host);
  await withAgent({ name, way }, async (agent) => {
    const left = await agent.call("app.leftovers", { app }, { timeoutMs: 300_000 });
    refuseStanding(app, name, left);
    const volumes = deletable(left);
    const nothing = { volumes: [], images: 0, deployments: 0 };
    if (!argv.json) process.stderr.write(renderLeftovers(app, name, left));
    using interrupt = listenForInterrupt({ onCancel: () => undefined });
    if (!isNothing(left) && argv.confirm === undefined) {
      const { confirmByName } = await import("../../confirm.ts");
      await confirmByName(app, interrupt.signal);
    }
    const request = { key: randomUUID(), input: { app, volumes }, expectedGeneration: null, signal: interrupt.signal };
    const result = isNothing(left) ? nothing : (await agent.runOperation("app.purge", request)).result;
    const kept = left.volumes.filter((each) => each.kept !== undefined);
    const data = { app, host: name, ...result, kept };
    printResult({ kind: "AppPurged", data, human: () => renderPurged(app, name, result) }, argv);
  });
}

/** Before anything is asked of the host. */
function requireName({ app, confirm, json }: PurgeArguments): void {
  if (confirm !== undefined && confirm !== app)
    throw new IkomaError("USAGE", `--confirm names "${confirm}", and the app is "${app}".`, {
      hint: `To delete its data for good: --confirm ${app}.`,
    });
  const canAsk = process.stdin.isTTY && process.stderr.isTTY && !json;
  if (confirm === undefined && !canAsk)
    throw new IkomaError("USAGE", `This deletes the data of ${app} for good, and nobody is there to type its name.`, {
      hint: `Add --confirm ${app} if that is what you want.`,
    });
}

function refuseStanding(app: string, host: string, { standing }: Leftovers): void {
  if (standing.length === 0) return;
  throw new IkomaError("APP_IN_USE", `${app} is not removed from ${host} yet: ${standing.join(", ")}.`, {
    details: { standing },
  });
}
