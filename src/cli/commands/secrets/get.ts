import type { CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import type { GlobalArguments } from "../../global-options.ts";
import {
  inStore,
  secretKey,
  versionNumber,
  withSecretArguments,
  type OpenStore,
  type SecretArguments,
} from "./store-session.ts";

interface GetArguments extends SecretArguments {
  readonly at: number | undefined;
  readonly reveal: boolean;
}

/** `ikoma secrets get`: prints one value, where that is what was asked for. */
const command: CommandModule<GlobalArguments, GetArguments> = {
  command: "get <app> <name>",
  describe: "Print the value of one secret; the store notes that you did",
  builder: (parser) =>
    withSecretArguments(parser)
      .option("at", { ...versionNumber, describe: "This version (default: the newest)" })
      .option("reveal", { type: "boolean", default: false, describe: "Yes, print it, to wherever that goes" })
      .example("$0 secrets get shop STRIPE_KEY -s prod --reveal | wc -c", ""),
  handler: getOne,
};

export default command;

async function getOne(argv: GetArguments): Promise<void> {
  if (!argv.reveal || argv.json)
    throw new IkomaError("USAGE", "This prints a secret in clear, to a screen or a log as well.", {
      hint: "Add --reveal if that is what you want; with --json no value is ever printed.",
    });
  await inStore(argv, (store) => printOne(store, argv));
}

async function printOne(store: OpenStore, argv: GetArguments): Promise<void> {
  const [{ fetchVersions, openWanted }, { readIdentities }, { auditEntry }] = await Promise.all([
    import("../../../core/secret-store/read-stored-secrets.ts"),
    import("../../../core/secret-store/identity.ts"),
    import("../../../core/secret-store/audit.ts"),
  ]);
  const { session, environment, config } = store;
  const key = await secretKey(store, argv);
  const wanted = { ...key, version: argv.at };
  const identities = await readIdentities();
  const [stored] = await fetchVersions(session, environment, [wanted]);
  const value = await openWanted(stored, wanted, config, identities);
  await auditEntry(session, { action: "get", ...key, ...(stored !== undefined && { version: stored.version }) });
  process.stdout.write(process.stdout.isTTY ? `${value}\n` : value);
}
