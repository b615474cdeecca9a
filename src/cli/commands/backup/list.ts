import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { withBackupApp, type BackupArguments } from "./backup-session.ts";

/** `ikoma backup list`: what the host has, and how far it is proven. */
const command: CommandModule<GlobalArguments, BackupArguments> = {
  command: "list",
  describe: "The backups of an app on its host: how old, how large, how far verified",
  builder: (parser) => withBackupApp(parser).example("$0 backup list -s prod", "Those of the only app"),
  handler: list,
};

export default command;

async function list(argv: BackupArguments): Promise<void> {
  const [{ inBackupSession }, { renderBackups }, { printResult }, { colorsFor }] = await Promise.all([
    import("./backup-session.ts"),
    import("./backup-view.ts"),
    import("../../output/envelope.ts"),
    import("../../output/colors.ts"),
  ]);
  await inBackupSession(argv, async ({ app, stack, agent }) => {
    const found = await agent.call("backup.list", { app });
    const human = (): string => renderBackups(app, found, colorsFor(process.stdout, argv), Date.now());
    printResult({ kind: "Backups", data: { stack, app, ...found }, human }, argv);
  });
}
