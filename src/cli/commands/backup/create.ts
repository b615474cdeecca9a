import type { CommandModule } from "yargs";
import { backupLevels } from "../../../core/backup/backup-policy.ts";
import type { BackupLevel } from "../../../core/backup/backup-policy.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { withBackupApp, type BackupArguments } from "./backup-session.ts";

interface CreateArguments extends BackupArguments {
  readonly database: string | undefined;
  readonly level: BackupLevel | undefined;
}

/** `ikoma backup create`: takes a backup now and verifies it. */
const command: CommandModule<GlobalArguments, CreateArguments> = {
  command: "create",
  describe: "Take a backup of an app's database now, and verify it",
  builder: (parser) =>
    withBackupApp(parser)
      .option("database", { ...oneText, describe: "Service of the database, where the app has several" })
      .option("level", {
        choices: backupLevels,
        describe: "How far it is verified (default: as the app's policy says)",
      })
      .example("$0 backup create -s prod", "The whole of it, verified by a restore"),
  handler: create,
};

export default command;

async function create(argv: CreateArguments): Promise<void> {
  const [{ inBackupSession }, { renderProven }, { printResult }] = await Promise.all([
    import("./backup-session.ts"),
    import("./backup-view.ts"),
    import("../../output/envelope.ts"),
  ]);
  await inBackupSession(argv, async ({ app, stack, settings, run }) => {
    const service = argv.database ?? settings?.backup?.database;
    const level = argv.level ?? settings?.backup?.level ?? "compare";
    const input = { app, level, reason: "by ikoma backup create", ...(service !== undefined && { service }) };
    const { backup } = await run("backup.take", `backup of ${app}`, input);
    printResult({ kind: "BackupCreated", data: { stack, app, backup }, human: () => renderProven(backup) }, argv);
  });
}
