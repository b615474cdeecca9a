import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { inStore, secretKey, withSecretArguments, type OpenStore, type SecretArguments } from "./store-session.ts";

/** `ikoma secrets history`: the versions of one secret, and who did what with it. */
const command: CommandModule<GlobalArguments, SecretArguments> = {
  command: "history <app> <name>",
  describe: "All versions of a secret, and what was done with it; no values",
  builder: (parser) => withSecretArguments(parser),
  handler: (argv) => inStore(argv, (store) => tellHistory(store, argv)),
};

export default command;

async function tellHistory(store: OpenStore, argv: SecretArguments): Promise<void> {
  const [
    { versionsOfSecret },
    { readAudit },
    { renderAudit, renderFlaws, renderSecrets, viewVersions },
    { notFound },
    { printResult },
  ] = await Promise.all([
    import("../../../core/secret-store/stored-version.ts"),
    import("../../../core/secret-store/audit.ts"),
    import("./secrets-view.ts"),
    import("../../../core/secret-store/read-stored-secrets.ts"),
    import("../../output/envelope.ts"),
  ]);
  const key = await secretKey(store, argv);
  const versions = await viewVersions(await versionsOfSecret(store.session, key), store.config);
  if (versions.length === 0) throw notFound(key, undefined);
  const audit = await readAudit(store.session, key);
  const human = (): string => `${renderSecrets(versions)}${renderFlaws(versions)}\n${renderAudit(audit)}`;
  printResult({ kind: "SecretHistory", data: { ...key, versions, audit }, human }, argv);
}
