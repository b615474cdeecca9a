import type { CommandModule } from "yargs";
import type { GlobalArguments } from "../../global-options.ts";
import { inStore, type OpenStore } from "./store-session.ts";

interface InitArguments extends GlobalArguments {
  readonly reader: string[];
  readonly writer: string[];
}

/** `ikoma secrets init`: makes the store's tables in its database, and gives roles their rights. */
const command: CommandModule<GlobalArguments, InitArguments> = {
  command: "init",
  describe: "Make the store in its database, and say which of the database's roles may read and write; can be repeated",
  builder: (parser) =>
    parser
      .option("reader", {
        type: "string",
        array: true,
        requiresArg: true,
        default: [],
        describe: "Role of the database that may read what is sealed (can be repeated)",
      })
      .option("writer", {
        type: "string",
        array: true,
        requiresArg: true,
        default: [],
        describe: "Role that may also add versions (can be repeated)",
      })
      .example("$0 secrets init -s prod --reader ci --writer anna --writer ben", "As the owner of the database"),
  handler: (argv) => inStore(argv, (store) => setUp(store, argv), { isSetUp: true }),
};

export default command;

async function setUp({ session, label, config }: OpenStore, argv: InitArguments): Promise<void> {
  const [{ setUpStore }, { printResult }] = await Promise.all([
    import("../../../core/secret-store/store-schema.ts"),
    import("../../output/envelope.ts"),
  ]);
  const roles = { readers: argv.reader, writers: argv.writer };
  const isNew = await setUpStore(session, label, roles);
  const missing = [
    ...(Object.keys(config.writers).length === 0 ? ["ikoma secrets writers add NAME ~/.ssh/id_ed25519.pub"] : []),
    ...(Object.keys(config.recipients).length === 0 ? ["ikoma secrets recipients add NAME age1…"] : []),
  ];
  const next = missing.length === 0 ? [] : ["next:", ...missing.map((line) => `  ${line}`)];
  const human = [`${label} ${isNew ? "is a secret store now" : "was a secret store already"}`, ...next].join("\n");
  printResult({ kind: "SecretStore", data: { store: label, isNew, ...roles }, human }, argv);
}
