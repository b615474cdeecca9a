import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Argv, CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import type { GlobalArguments } from "../../global-options.ts";
import { findWriter, inStore, withSignArguments, type OpenStore, type SignArguments } from "./store-session.ts";

interface AddArguments extends GlobalArguments {
  readonly name: string;
  readonly file: string;
}

interface RemoveArguments extends GlobalArguments, SignArguments {
  readonly name: string;
}

/** `ikoma secrets writers …`: whose values count. */
const command: CommandModule<GlobalArguments, GlobalArguments> = {
  command: "writers",
  describe: "Whose values count: add somebody, or take somebody out and vouch for what they have set",
  builder: (parser) => parser.command(add).command(remove).demandCommand(1, "Which command of secrets writers?"),
  handler: () => undefined,
};

export default command;

const add: CommandModule<GlobalArguments, AddArguments> = {
  command: "add <name> <file>",
  describe: "Let what somebody signs with this SSH key count",
  builder: (parser: Argv<GlobalArguments>) =>
    parser
      .positional("name", { type: "string", demandOption: true, describe: "A name for the settings" })
      .positional("file", { type: "string", demandOption: true, describe: "File of the public SSH key" })
      .example("$0 secrets writers add anna ~/.ssh/id_ed25519.pub -s prod", "Writes Pulumi.prod.yaml"),
  handler: addOne,
};

const remove: CommandModule<GlobalArguments, RemoveArguments> = {
  command: "rm <name>",
  describe: "Let nothing count that somebody signs; what they have set so far you sign, after it was checked",
  builder: (parser: Argv<GlobalArguments>) =>
    withSignArguments(
      parser.positional("name", { type: "string", demandOption: true, describe: "As the settings name them" }),
    ),
  handler: (argv) => inStore(argv, (store) => removeOne(store, argv)),
};

async function addOne(argv: AddArguments): Promise<void> {
  const [
    { findDeployProject },
    { readStackSettings },
    { storeConfig },
    { requireFree, writeStorePeople },
    { printResult },
  ] = await Promise.all([
    import("../../../core/project/deploy-project.ts"),
    import("../../../core/project/deploy-stack-file.ts"),
    import("../../../core/secret-store/store-config.ts"),
    import("../../../core/secret-store/store-people.ts"),
    import("../../output/envelope.ts"),
  ]);
  const { name, file } = argv;
  const { stackFile, stackName } = await findDeployProject(argv.cwd, argv.stack);
  const { store } = await readStackSettings(stackFile);
  const key = await publicKeyOf(resolve(argv.cwd, file));
  const writers = storeConfig.shape.writers.safeParse({ ...store?.writers, [name]: key });
  if (!writers.success)
    throw new IkomaError("USAGE", `"${name}" is no name, or ${file} has no public SSH key.`, {
      hint: "A name has letters, digits, and . _ @ - only; the file is one like ~/.ssh/id_ed25519.pub.",
    });
  requireFree("writers", store?.writers ?? {}, name, key);
  await writeStorePeople(stackFile, "writers", name, key);
  const human = `what ${name} signs counts in ${stackName}: commit Pulumi.${stackName}.yaml`;
  printResult({ kind: "SecretWriters", data: { writers: Object.keys(writers.data) }, human }, argv);
}

/** Without the comment behind it. */
async function publicKeyOf(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new IkomaError("USAGE", `The public key ${path} cannot be read.`, { cause });
  });
  return text.trim().split(/\s+/).slice(0, 2).join(" ");
}

async function removeOne(store: OpenStore, argv: RemoveArguments): Promise<void> {
  const [{ resignAll }, { writeStorePeople }, { printResult }] = await Promise.all([
    import("../../../core/secret-store/reseal.ts"),
    import("../../../core/secret-store/store-people.ts"),
    import("../../output/envelope.ts"),
  ]);
  const { writers } = store.config;
  const { [argv.name]: leaving, ...left } = writers;
  const names = Object.keys(left);
  if (leaving === undefined)
    throw new IkomaError("USAGE", `The settings name no writer "${argv.name}".`, {
      hint: `They name ${names.join(", ") || "nobody"}.`,
    });
  const signer = await findWriter({ ...store.config, writers: left }, argv);
  // The settings lose the writer last: what breaks off here can be run again.
  const signed = await resignAll(store.session, store.environment, writers, argv.name, signer);
  await writeStorePeople(store.project.stackFile, "writers", argv.name, undefined);
  const human = `nothing that ${argv.name} signs counts any more; ${signed} versions are signed by ${signer.name} now`;
  printResult({ kind: "SecretWriters", data: { writers: names, signed, by: signer.name }, human }, argv);
}
