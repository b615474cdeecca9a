import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import * as z from "zod";
import { backupId, backupLevels } from "../../../core/backup/backup-policy.ts";
import type { BackupLevel } from "../../../core/backup/backup-policy.ts";
import { IkomaError } from "../../../core/errors.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { withBackupApp, type BackupArguments } from "./backup-session.ts";

interface UploadArguments extends BackupArguments {
  readonly from: string;
  readonly level: BackupLevel;
}

/** `ikoma backup upload`: brings a backup that was fetched to the host of the app, where it can be restored. */
const command: CommandModule<GlobalArguments, UploadArguments> = {
  command: "upload <from>",
  describe: "Bring a fetched backup to the app's host, such as a new one, and verify it there",
  builder: (parser) =>
    withBackupApp(parser)
      .positional("from", {
        type: "string",
        demandOption: true,
        describe: "Beginning of the files' names, as given to `download --to`",
      })
      .option("level", { choices: backupLevels, default: "compare" as const, describe: "How far it is verified there" })
      .example("$0 backup upload /backups/shop -s prod", "/backups/shop.dump, .roles.sql and .json"),
  handler: upload,
};

export default command;

async function upload(argv: UploadArguments): Promise<void> {
  const start = resolve(argv.from);
  const files = { dump: `${start}.dump`, roles: `${start}.roles.sql`, manifest: `${start}.json` } as const;
  const id = await idIn(files.manifest);
  const [{ inBackupSession }, { renderProven }, { printResult }, { uploadBackup }] = await Promise.all([
    import("./backup-session.ts"),
    import("./backup-view.ts"),
    import("../../output/envelope.ts"),
    import("../../../core/backup/upload-backup.ts"),
  ]);
  await inBackupSession(argv, async ({ app, stack, agent, signal, progress, run }) => {
    progress.begin({ id: "upload", title: `upload ${id}` });
    for (const file of ["dump", "roles", "manifest"] as const)
      await uploadBackup(agent, { app, id, file }, files[file], signal);
    progress.end("upload", "done");
    const { backup } = await run("backup.import", `take in ${id}`, { app, id, level: argv.level });
    printResult({ kind: "BackupUploaded", data: { stack, app, backup }, human: () => renderProven(backup) }, argv);
  });
}

async function idIn(path: string): Promise<string> {
  try {
    return z.object({ id: backupId }).parse(JSON.parse(await readFile(path, "utf8"))).id;
  } catch (cause) {
    const hint = "Name what `ikoma backup download --to` was given; it writes NAME.dump, NAME.roles.sql and NAME.json.";
    throw new IkomaError("USAGE", `${path} is not the manifest of a backup.`, { hint, cause });
  }
}
