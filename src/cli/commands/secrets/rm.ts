import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import {
  findWriter,
  inStore,
  secretKey,
  withSecretArguments,
  withSignArguments,
  type OpenStore,
  type SecretArguments,
  type SignArguments,
} from "./store-session.ts";

interface RemoveArguments extends SecretArguments, SignArguments {}

/** `ikoma secrets rm`: says that a secret is no more; its versions stay until they are purged. */
const command: CommandModule<GlobalArguments, RemoveArguments> = {
  command: "rm <app> <name>",
  describe: "Remove a secret; what it was can still be read by its version, until it is purged",
  builder: (parser) => withSignArguments(withSecretArguments(parser)),
  handler: (argv) => inStore(argv, (store) => removeOne(store, argv)),
};

export default command;

async function removeOne(store: OpenStore, argv: RemoveArguments): Promise<void> {
  const [{ versionsOfSecret, stateOf }, { writeVersion }, { notFound }, { printResult }] = await Promise.all([
    import("../../../core/secret-store/stored-version.ts"),
    import("../../../core/secret-store/change-secret.ts"),
    import("../../../core/secret-store/read-stored-secrets.ts"),
    import("../../output/envelope.ts"),
  ]);
  const key = await secretKey(store, argv);
  const [newest] = await versionsOfSecret(store.session, key);
  if (newest === undefined || stateOf(newest) === "removed") throw notFound(key, undefined);
  const signer = await findWriter(store.config, argv);
  const removal = { key, value: undefined, seen: newest.version };
  const { version } = await writeVersion(store.session, store.config, removal, signer);
  const human = `${key.environment}/${key.app}/${key.name} is removed, as version ${version}; \`ikoma secrets purge\` deletes what it was`;
  printResult({ kind: "SecretRemoved", data: { ...key, version, by: signer.name }, human }, argv);
}
