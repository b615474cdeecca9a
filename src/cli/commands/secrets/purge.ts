import type { CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { listenForInterrupt } from "../../interrupt.ts";
import {
  inStore,
  secretKey,
  versionNumber,
  withSecretArguments,
  type OpenStore,
  type SecretArguments,
} from "./store-session.ts";

interface PurgeArguments extends SecretArguments {
  readonly at: number | undefined;
  readonly confirm: string | undefined;
}

/** `ikoma secrets purge`: deletes values for good. The only command that does. */
const command: CommandModule<GlobalArguments, PurgeArguments> = {
  command: "purge <app> <name>",
  describe: "Delete the values of a removed secret for good, or one older version of any",
  builder: (parser) =>
    withSecretArguments(parser)
      .option("at", { ...versionNumber, describe: "Only this version, which must not be the newest" })
      .option("confirm", { ...oneText, describe: "The secret's name again, instead of typing it; --yes does not do" })
      .example("$0 secrets purge shop OLD_KEY -s prod", "After `secrets rm`"),
  handler: purge,
};

export default command;

async function purge(argv: PurgeArguments): Promise<void> {
  const { name, confirm, json } = argv;
  const canAsk = process.stdin.isTTY && process.stderr.isTTY && !json;
  if (confirm === undefined ? !canAsk : confirm !== name)
    throw new IkomaError("USAGE", `This deletes values of ${name} for good, and nobody has typed its name.`, {
      hint: `Add --confirm ${name} if that is what you want.`,
    });
  await inStore(argv, (store) => purgeOne(store, argv));
}

async function purgeOne(store: OpenStore, argv: PurgeArguments): Promise<void> {
  const [{ purgeVersions }, { printResult }] = await Promise.all([
    import("../../../core/secret-store/change-secret.ts"),
    import("../../output/envelope.ts"),
  ]);
  const key = await secretKey(store, argv);
  if (argv.confirm === undefined) {
    const { confirmByName } = await import("../../confirm.ts");
    using interrupt = listenForInterrupt({ onCancel: () => undefined });
    await confirmByName(argv.name, interrupt.signal);
  }
  const versions = await purgeVersions(store.session, key, argv.at);
  const human = `${key.environment}/${key.app}/${key.name}: ${versions.length === 0 ? "nothing was left to delete" : `deleted version ${versions.join(", ")}`}; backups of the database may still have it`;
  printResult({ kind: "SecretPurged", data: { ...key, versions }, human }, argv);
}
