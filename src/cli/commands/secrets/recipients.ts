import type { Argv, CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import type { Rewrapped } from "../../../core/secret-store/reseal.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { inStore, type OpenStore } from "./store-session.ts";

interface PersonArguments extends GlobalArguments {
  readonly name: string;
}

interface AddArguments extends PersonArguments {
  readonly recipient: string;
}

/** `ikoma secrets recipients …`: who can read the secrets of a stack. */
const command: CommandModule<GlobalArguments, GlobalArguments> = {
  command: "recipients",
  describe: "Who can read: add somebody, take somebody out, or bring the store to what the settings say",
  builder: (parser) =>
    parser.command(add).command(remove).command(rewrap).demandCommand(1, "Which command of secrets recipients?"),
  handler: () => undefined,
};

export default command;

const add: CommandModule<GlobalArguments, AddArguments> = {
  command: "add <name> <recipient>",
  describe: "Let somebody read all secrets of the stack, those that are set already too",
  builder: (parser: Argv<GlobalArguments>) =>
    parser
      .positional("name", { type: "string", demandOption: true, describe: "A name for the settings" })
      .positional("recipient", { type: "string", demandOption: true, describe: "The public key, age1…" })
      .example("$0 secrets recipients add ci age1… -s prod", "Writes Pulumi.prod.yaml, and wraps the data keys anew"),
  handler: (argv) => inStore(argv, (store) => addOne(store, argv)),
};

const remove: CommandModule<GlobalArguments, PersonArguments> = {
  command: "rm <name>",
  describe: "Let somebody read no more of them; what they could read they may have kept",
  builder: (parser: Argv<GlobalArguments>) =>
    parser.positional("name", { type: "string", demandOption: true, describe: "As the settings name them" }),
  handler: (argv) => inStore(argv, (store) => removeOne(store, argv)),
};

const rewrap: CommandModule<GlobalArguments, GlobalArguments> = {
  command: "rewrap",
  describe: "Wrap the data keys for those whom the settings name, after somebody changed them in Git",
  handler: (argv) =>
    inStore(argv, (store) => bringTo(store, argv, { recipients: store.config.recipients, who: changedInGit })),
};

const takenOut =
  "Who was taken out may have kept what they could read, and copies of the database still open for them. New values:";
const changedInGit =
  "Was somebody taken out? They may have kept what they could read, and copies of the database still open for them. New values:";

async function addOne(store: OpenStore, argv: AddArguments): Promise<void> {
  const [{ storeConfig }, { isRecipient }, { requireFree }] = await Promise.all([
    import("../../../core/secret-store/store-config.ts"),
    import("../../../core/secret-store/identity.ts"),
    import("../../../core/secret-store/store-people.ts"),
  ]);
  const { name, recipient } = argv;
  const recipients = { ...store.config.recipients, [name]: recipient };
  if (!storeConfig.shape.recipients.safeParse(recipients).success)
    // Without what was given: it may be the identity.
    throw new IkomaError("USAGE", `"${name}" is no name, or what is behind it is no recipient.`, {
      hint: "A name has letters, digits, and . _ @ - only; a recipient is what `ikoma secrets keygen` prints: age1…",
    });
  if (!(await isRecipient(recipient)))
    throw new IkomaError("USAGE", `${recipient} is no recipient of age: it has a typing error.`);
  requireFree("recipients", store.config.recipients, name, recipient);
  await bringTo(store, argv, { recipients, edit: { name, key: recipient } });
}

async function removeOne(store: OpenStore, argv: PersonArguments): Promise<void> {
  const { [argv.name]: gone, ...left } = store.config.recipients;
  const names = Object.keys(left);
  if (gone === undefined)
    throw new IkomaError("USAGE", `The settings name no recipient "${argv.name}".`, {
      hint: `They name ${names.join(", ") || "nobody"}.`,
    });
  if (names.length === 0)
    throw new IkomaError("USAGE", `Without ${argv.name} nobody could read the secrets any more.`, {
      hint: "Add somebody else first.",
    });
  await bringTo(store, argv, { recipients: left, edit: { name: argv.name, key: undefined }, who: takenOut });
}

/** What is to become of who can read. */
interface Change {
  readonly recipients: Readonly<Record<string, string>>;
  /** Of the settings; undefined where they say it already. */
  readonly edit?: { readonly name: string; readonly key: string | undefined };
  /** What is told of somebody who can read no more; undefined where nobody can be. */
  readonly who?: string;
}

/** The store first, then the settings: what breaks off here can be run again, and tells the same. */
async function bringTo(
  { session, environment, project }: OpenStore,
  argv: GlobalArguments,
  { recipients, edit, who }: Change,
): Promise<void> {
  const [{ rewrapAll }, { writeStorePeople }, { readIdentities }, { requireRecipients }, { printResult }] =
    await Promise.all([
      import("../../../core/secret-store/reseal.ts"),
      import("../../../core/secret-store/store-people.ts"),
      import("../../../core/secret-store/identity.ts"),
      import("../../../core/secret-store/change-secret.ts"),
      import("../../output/envelope.ts"),
    ]);
  const keys = await requireRecipients(recipients);
  const { secrets, ...done } = await rewrapAll(session, environment, keys, () => readIdentities());
  if (edit !== undefined) await writeStorePeople(project.stackFile, "recipients", edit.name, edit.key);
  const names = Object.keys(recipients);
  const exposed = who === undefined ? [] : secrets;
  const human = (): string => [wrapped(environment, names, done), ...setAnew(who, exposed)].join("\n");
  printResult({ kind: "SecretRecipients", data: { environment, recipients: names, ...done, exposed }, human }, argv);
}

function wrapped(
  environment: string,
  names: readonly string[],
  { versions, unreadable }: Omit<Rewrapped, "secrets">,
): string {
  const left = unreadable === 0 ? "" : `; ${unreadable} older versions cannot be read here, and stay as they are`;
  return `${environment} can be read by ${names.join(", ")}; ${versions} data keys were wrapped anew${left}`;
}

function setAnew(who = "", exposed: Rewrapped["secrets"]): string[] {
  return exposed.length === 0 ? [] : [who, ...exposed.map(({ app, name }) => `  ikoma secrets set ${app} ${name}`)];
}
