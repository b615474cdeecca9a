import type { Argv } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import type { KeyHolder } from "../../../core/policies/approver-key.ts";
import type { DeployProject } from "../../../core/project/deploy-project.ts";
import type { StackSettings } from "../../../core/project/deploy-stack-file.ts";
import type { EnvironmentStore } from "../../../core/secret-store/read-stored-secrets.ts";
import type { SecretKey } from "../../../core/secret-store/sealed-version.ts";
import type { StoreConfig } from "../../../core/secret-store/store-config.ts";
import type { StoreSession } from "../../../core/secret-store/store-session.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";

/** A command's stack, and its part of the store. */
export interface OpenStore extends EnvironmentStore {
  readonly project: DeployProject;
  readonly settings: StackSettings;
  readonly session: StoreSession;
  /** Of the address, for people. */
  readonly label: string;
}

/** Which secret is meant. */
export interface SecretArguments extends GlobalArguments {
  readonly app: string;
  readonly name: string;
}

/** What a version is signed with. */
export interface SignArguments {
  readonly "sign-key": string | undefined;
}

/** Declares the options of {@link SecretArguments}. */
export function withSecretArguments<T>(parser: Argv<T>) {
  return parser
    .positional("app", { type: "string", demandOption: true, describe: "Name of the app" })
    .positional("name", { type: "string", demandOption: true, describe: "Name of the secret in the store" });
}

/** An option that takes the number of a version. */
export const versionNumber = {
  ...oneText,
  coerce: (given: string | string[] | undefined): number | undefined => {
    const text = oneText.coerce(given);
    if (text === undefined || /^\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
    throw new IkomaError("USAGE", `"${text}" is no number of a version.`);
  },
} as const;

/** Declares the options of {@link SignArguments}. */
export function withSignArguments<T>(parser: Argv<T>) {
  return parser.option("sign-key", {
    ...oneText,
    describe: "SSH key to sign with (default: the one of ~/.ssh or the SSH agent that is a writer's)",
  });
}

/** Opens the store of the command's stack for as long as `use` needs it. */
export async function inStore(
  argv: GlobalArguments,
  use: (store: OpenStore) => Promise<void>,
  options: { readonly isSetUp?: boolean } = {},
): Promise<void> {
  const [{ findDeployProject }, { readStackSettings }, { storeConfig }, { storeAddress }, { StoreSession }] =
    await Promise.all([
      import("../../../core/project/deploy-project.ts"),
      import("../../../core/project/deploy-stack-file.ts"),
      import("../../../core/secret-store/store-config.ts"),
      import("../../../core/secret-store/store-address.ts"),
      import("../../../core/secret-store/store-session.ts"),
    ]);
  const project = await findDeployProject(argv.cwd, argv.stack);
  const settings = await readStackSettings(project.stackFile);
  const config = settings.store ?? storeConfig.parse({});
  const address = await storeAddress(config);
  await using session = await StoreSession.open(address, options);
  const environment = config.environment ?? project.stackName;
  await use({ project, settings, config, environment, session, label: address.label });
}

/**
 * The secret that is meant; its app may have been taken out of the settings.
 *
 * @throws USAGE for a name that none can have
 */
export async function secretKey({ environment }: OpenStore, { app, name }: SecretArguments): Promise<SecretKey> {
  const { secretName } = await import("../../../core/secret-store/store-config.ts");
  if (secretName.safeParse(name).success) return { environment, app, name };
  throw new IkomaError("USAGE", `"${name}" cannot be a secret's name.`, {
    hint: "Letters, digits, and . _ - only, a letter or _ first.",
  });
}

/**
 * The writer whose SSH key is here.
 *
 * @throws HOST_AUTH where none is a writer's, CONFIG_MISSING where the settings name none
 */
export async function findWriter({ writers }: StoreConfig, { "sign-key": key }: SignArguments): Promise<KeyHolder> {
  const { findKeyHolder } = await import("../../../core/policies/approver-key.ts");
  const names = Object.keys(writers);
  if (names.length === 0)
    throw new IkomaError("CONFIG_MISSING", "Nobody's values count yet: `ikoma:store.writers` is empty.", {
      hint: "Add yourself: `ikoma secrets writers add NAME ~/.ssh/id_ed25519.pub`.",
    });
  const hint = `The settings name ${names.join(", ")}. Use that person's key (--sign-key FILE), or add yours: \`ikoma secrets writers add NAME FILE.pub\`.`;
  return findKeyHolder({ people: writers, purpose: "ikoma-secret", role: "writer of the store", hint }, key);
}
