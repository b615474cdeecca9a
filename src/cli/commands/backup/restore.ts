import type { CommandModule } from "yargs";
import type { BackupView } from "../../../agent/protocol/backup-views.ts";
import { IkomaError } from "../../../core/errors.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { formatAge, formatMoment } from "../../output/quantities.ts";
import { withBackupApp, type BackupArguments } from "./backup-session.ts";

interface RestoreArguments extends BackupArguments {
  readonly id: string;
  readonly confirm: string | undefined;
}

/** `ikoma backup restore`: the database goes back to a backup; the one that was there is kept beside it. */
const command: CommandModule<GlobalArguments, RestoreArguments> = {
  command: "restore <id>",
  describe: "Put a backup in the place of the database, which is backed up before and kept under another name",
  builder: (parser) =>
    withBackupApp(parser)
      .positional("id", {
        type: "string",
        demandOption: true,
        describe: "Its id, the beginning of one, or `latest`",
      })
      .option("confirm", { ...oneText, describe: "The database's name, instead of typing it; --yes does not do" })
      .example("$0 backup restore latest -s prod", "The newest verified one, after having the name typed"),
  handler: restore,
};

export default command;

async function restore(argv: RestoreArguments): Promise<void> {
  const canAsk = process.stdin.isTTY && process.stderr.isTTY && !argv.json;
  if (argv.confirm === undefined && !canAsk)
    throw new IkomaError("USAGE", "This takes the database out of service, and nobody is there to type its name.", {
      hint: "Add --confirm DATABASE; `ikoma backup list` shows its name.",
    });
  const [{ inBackupSession }, { printResult }, { chooseBackup }, { confirmByName }] = await Promise.all([
    import("./backup-session.ts"),
    import("../../output/envelope.ts"),
    import("../../../core/backup/choose-backup.ts"),
    import("../../confirm.ts"),
  ]);
  await inBackupSession(argv, async ({ app, stack, agent, signal, run }) => {
    const { backups } = await agent.call("backup.list", { app });
    const chosen = chooseBackup(backups, argv.id);
    requireRightName(chosen, argv.confirm);
    if (argv.confirm === undefined) {
      process.stderr.write(announcement(app, chosen));
      await confirmByName(chosen.database, signal, { purpose: "have it replaced" });
    }
    const result = await run("backup.restore", `restore ${chosen.id}`, { app, id: chosen.id });
    const { backup, safety, database, kept } = result;
    const human = (): string =>
      `${database} is that of ${backup.id} (${formatMoment(backup.takenAtMs)}) again. What was there is kept as the database ${kept}, and as the backup ${safety.id}.\n`;
    printResult({ kind: "BackupRestored", data: { stack, app, ...result }, human }, argv);
  });
}

function requireRightName({ database }: BackupView, confirm: string | undefined): void {
  if (confirm === undefined || confirm === database) return;
  throw new IkomaError("USAGE", `--confirm names "${confirm}", and the database is "${database}".`, {
    hint: `To have it replaced: --confirm ${database}.`,
  });
}

function announcement(app: string, { id, service, database, takenAtMs, tables }: BackupView): string {
  return `The database ${database} (${service} of ${app}) goes back to the backup ${id}, ${formatAge(takenAtMs, Date.now())}, ${tables} tables.
What was written since is not in it. The database that is there now is backed up first and kept under another name.
Its connections are ended for the change; the app connects again.
`;
}
