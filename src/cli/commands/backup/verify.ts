import type { CommandModule } from "yargs";
import { backupLevels } from "../../../core/backup/backup-policy.ts";
import type { BackupLevel } from "../../../core/backup/backup-policy.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { withBackupApp, type BackupArguments } from "./backup-session.ts";

interface VerifyArguments extends BackupArguments {
  readonly id: string;
  readonly level: BackupLevel;
}

/** `ikoma backup verify`: proves a backup again, by a restore into a throwaway server. */
const command: CommandModule<GlobalArguments, VerifyArguments> = {
  command: "verify [id]",
  describe: "Verify a backup: restore it into a throwaway server and compare every table",
  builder: (parser) =>
    withBackupApp(parser)
      .positional("id", { type: "string", default: "latest", describe: "Its id, the beginning of one, or `latest`" })
      .option("level", { choices: backupLevels, default: "compare" as const, describe: "How far" })
      .example("$0 backup verify -s prod", "The newest"),
  handler: verify,
};

export default command;

async function verify(argv: VerifyArguments): Promise<void> {
  const [{ inBackupSession }, { renderProven }, { printResult }, { chooseBackup }] = await Promise.all([
    import("./backup-session.ts"),
    import("./backup-view.ts"),
    import("../../output/envelope.ts"),
    import("../../../core/backup/choose-backup.ts"),
  ]);
  await inBackupSession(argv, async ({ app, stack, agent, run }) => {
    const { backups } = await agent.call("backup.list", { app });
    const { id } = chooseBackup(backups, argv.id);
    const { backup } = await run("backup.verify", `verify ${id}`, { app, id, level: argv.level });
    printResult({ kind: "BackupVerified", data: { stack, app, backup }, human: () => renderProven(backup) }, argv);
  });
}
