import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { formatBytes } from "../../output/quantities.ts";
import { withBackupApp, type BackupArguments } from "./backup-session.ts";

interface DownloadArguments extends BackupArguments {
  readonly id: string;
  readonly to: string | undefined;
}

/** `ikoma backup download`: fetches a backup from its host. */
const command: CommandModule<GlobalArguments, DownloadArguments> = {
  command: "download [id]",
  describe: "Fetch a backup from its host: dump, roles and manifest, their checksums compared",
  builder: (parser) =>
    withBackupApp(parser)
      .positional("id", { type: "string", default: "latest", describe: "Its id, the beginning of one, or `latest`" })
      .option("to", { ...oneText, describe: "Beginning of the files' names (default: APP-ID, in this folder)" })
      .example(
        "$0 backup download -s prod --to /backups/shop",
        "/backups/shop.dump, /backups/shop.roles.sql, /backups/shop.json",
      ),
  handler: download,
};

export default command;

async function download(argv: DownloadArguments): Promise<void> {
  const [{ inBackupSession }, { printResult }, { chooseBackup }, { downloadBackup }] = await Promise.all([
    import("./backup-session.ts"),
    import("../../output/envelope.ts"),
    import("../../../core/backup/choose-backup.ts"),
    import("../../../core/backup/download-backup.ts"),
  ]);
  await inBackupSession(argv, async ({ app, stack, agent, signal, progress }) => {
    const { backups } = await agent.call("backup.list", { app });
    const { id } = chooseBackup(backups, argv.id);
    const start = resolve(argv.to ?? `${app}-${id}`);
    const targets = { dump: `${start}.dump`, roles: `${start}.roles.sql`, manifest: `${start}.json` } as const;
    for (const path of Object.values(targets)) refuseExisting(path);
    progress.begin({ id: "download", title: `download ${id}` });
    const bytes = await downloadBackup(agent, { app, id, file: "dump" }, targets.dump, signal);
    await downloadBackup(agent, { app, id, file: "roles" }, targets.roles, signal);
    await downloadBackup(agent, { app, id, file: "manifest" }, targets.manifest, signal);
    progress.end("download", "done", formatBytes(bytes));
    const data = { stack, app, id, bytes, files: targets };
    printResult({ kind: "BackupDownloaded", data, human: `${Object.values(targets).join("\n")}\n` }, argv);
  });
}

function refuseExisting(path: string): void {
  if (existsSync(path))
    throw new IkomaError("USAGE", `${path} is there already, and is not written over.`, {
      hint: "Name other files with --to.",
    });
}
