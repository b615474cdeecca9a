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
  builder: (parser) => parser.command(add).command(remove).command(rewrap).demandCommand(1, "Which command of it?"),
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
  handler: (argv) => inStore(argv, (store) => bringTo(store, store.config.recipients, argv)),
};

async function addOne(store: OpenStore, argv: AddArguments): Promise<void> {
  const [{ storeConfig }, { requireUsable }] = await Promise.all([
    import("../../../core/secret-store/store-config.ts"),
    import("../../../core/secret-store/identity.ts"),
  ]);
  const { name, recipient } = argv;
  const recipients = { ...store.config.recipients, [name]: recipient };
  if (!storeConfig.shape.recipients.safeParse(recipients).success)
    throw new IkomaError("USAGE", `"${name}" and "${recipient}" are no name and recipient.`, {
      hint: "A name has letters, digits, and . _ @ - only; a recipient is what `ikoma secrets keygen` prints: age1…",
    });
  await requireUsable(recipient);
  await bringTo(store, recipients, argv, { name, key: recipient });
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
  await bringTo(store, left, argv, { name: argv.name, key: undefined });
}

/** The store first, then the settings: what breaks off here can be run again. */
async function bringTo(
  { session, environment, project }: OpenStore,
  recipients: Readonly<Record<string, string>>,
  argv: GlobalArguments,
  edit?: { readonly name: string; readonly key: string | undefined },
): Promise<void> {
  const [{ rewrapAll }, { writeStorePeople }, { readIdentities }, { requireRecipients }, { printResult }] =
    await Promise.all([
      import("../../../core/secret-store/reseal.ts"),
      import("../../../core/secret-store/store-people.ts"),
      import("../../../core/secret-store/identity.ts"),
      import("../../../core/secret-store/change-secret.ts"),
      import("../../output/envelope.ts"),
    ]);
  const done = await rewrapAll(session, environment, requireRecipients(recipients), () => readIdentities());
  if (edit !== undefined) await writeStorePeople(project.stackFile, "recipients", edit.name, edit.key);
  const data = { environment, recipients: Object.keys(recipients), ...done };
  printResult({ kind: "SecretRecipients", data, human: () => told(environment, Object.keys(recipients), done) }, argv);
}

function told(environment: string, names: readonly string[], { versions, unreadable, exposed }: Rewrapped): string {
  const left = unreadable === 0 ? "" : `; ${unreadable} older versions cannot be read here, and stay as they are`;
  const read = `${environment} can be read by ${names.join(", ")}; ${versions} data keys were wrapped anew${left}`;
  if (exposed.length === 0) return read;
  const list = exposed.map(({ app, name }) => `  ikoma secrets set ${app} ${name}`);
  return [
    read,
    "Who was taken out may have kept what they could read, and copies of the database still open for them. New values:",
    ...list,
  ].join("\n");
}
