import type { CommandModule } from "yargs";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { withBackupApp, type BackupArguments } from "./backup-session.ts";

interface PinArguments extends BackupArguments {
  readonly id: string;
  readonly reason: string | undefined;
  readonly off: boolean;
}

/** `ikoma backup pin`: keeps a backup whatever the policy's rules say, or no longer. */
const command: CommandModule<GlobalArguments, PinArguments> = {
  command: "pin <id>",
  describe: "Keep a backup whatever the rules of the policy say; --off lets them decide again",
  builder: (parser) =>
    withBackupApp(parser)
      .positional("id", { type: "string", demandOption: true, describe: "Its id, or the beginning of one" })
      .option("reason", { ...oneText, describe: "Why it is kept" })
      .option("off", { type: "boolean", default: false, describe: "Keep it no longer" })
      .example("$0 backup pin 20261126T0300 -s prod --reason 'before the import'", "Keep that one"),
  handler: pin,
};

export default command;

async function pin(argv: PinArguments): Promise<void> {
  const [{ inBackupSession }, { printResult }, { chooseBackup }] = await Promise.all([
    import("./backup-session.ts"),
    import("../../output/envelope.ts"),
    import("../../../core/backup/choose-backup.ts"),
  ]);
  await inBackupSession(argv, async ({ app, stack, agent, run }) => {
    const { backups } = await agent.call("backup.list", { app });
    const { id } = chooseBackup(backups, argv.id);
    const reason = argv.off ? null : (argv.reason ?? "by ikoma backup pin");
    const { backup } = await run("backup.pin", `pin ${id}`, { app, id, pin: reason });
    const human = argv.off ? `The rules decide over ${id} again.\n` : `${id} is kept whatever the rules say.\n`;
    printResult({ kind: "BackupPinned", data: { stack, app, backup }, human }, argv);
  });
}
