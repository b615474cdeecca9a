import type { Argv, CommandModule } from "yargs";
import type { TokenRecord } from "../../../api/store/api-store.ts";
import type { SqliteStore } from "../../../api/store/sqlite-store.ts";
import { IkomaError } from "../../../core/errors.ts";
import type { GlobalArguments } from "../../global-options.ts";

interface TokenArguments extends GlobalArguments {
  readonly state: string;
}

interface CreateArguments extends TokenArguments {
  readonly host: string[];
  readonly caller: boolean;
  readonly note: string;
}

interface RevokeArguments extends TokenArguments {
  readonly id: string;
}

/** `ikoma api token …`: who may use the API; works on its store, whether it runs or not. */
const command: CommandModule<GlobalArguments, TokenArguments> = {
  command: "token",
  describe: "Tokens for the API: make one, list them, take one back",
  builder: (parser) =>
    parser
      .option("state", { type: "string", requiresArg: true, demandOption: true, describe: "Folder of the API's store" })
      .command(create)
      .command(list)
      .command(revoke)
      .demandCommand(1, "Which command of api token?"),
  handler: () => undefined,
};

export default command;

const create: CommandModule<TokenArguments, CreateArguments> = {
  command: "create",
  describe: "Make a token; it is printed this once, only its hash is kept",
  builder: (parser: Argv<TokenArguments>) =>
    parser
      .option("host", {
        type: "string",
        array: true,
        requiresArg: true,
        demandOption: true,
        describe: "The agent's host; with --caller a host that it may reach (can be repeated)",
      })
      .option("caller", { type: "boolean", default: false, describe: "For a CLI or CI, instead of for an agent" })
      .option("note", { type: "string", requiresArg: true, default: "", describe: "What it is for, for the list" })
      .example("$0 api token create --state DIR --host vps1 >vps1.token", "For the agent of vps1")
      .example("$0 api token create --state DIR --caller --host vps1", "For a CLI or CI that deploys there"),
  handler: (argv) => inStore(argv, (store) => createOne(store, argv)),
};

const list: CommandModule<TokenArguments, TokenArguments> = {
  command: "list",
  describe: "All tokens, without their secrets",
  handler: (argv) => inStore(argv, (store) => listAll(store, argv)),
};

const revoke: CommandModule<TokenArguments, RevokeArguments> = {
  command: "revoke <id>",
  describe: "Take a token back: it is refused from now on, what it holds open is ended",
  builder: (parser: Argv<TokenArguments>) =>
    parser.positional("id", { type: "string", demandOption: true, describe: "Its id, as in the list" }),
  handler: (argv) => inStore(argv, (store) => revokeOne(store, argv)),
};

async function createOne(store: SqliteStore, argv: CreateArguments): Promise<void> {
  const { host: hosts, caller, note } = argv;
  const [{ createToken }, { hostName }, { printResult }] = await Promise.all([
    import("../../../api/tokens.ts"),
    import("../../../core/link/link-protocol.ts"),
    import("../../output/envelope.ts"),
  ]);
  const wrong = hosts.find((name) => !hostName.safeParse(name).success);
  if (wrong !== undefined) throw new IkomaError("USAGE", `--host: "${wrong}" cannot be the name of a host.`);
  if (!caller && hosts.length > 1)
    throw new IkomaError("USAGE", "An agent's token is for one host: each host has its own.");
  const kind = caller ? "caller" : "agent";
  const { id, text } = await createToken(store, { kind, hosts, note });
  printResult({ kind: "ApiToken", data: { id, kind, hosts, note, token: text }, human: text }, argv);
}

async function listAll(store: SqliteStore, argv: TokenArguments): Promise<void> {
  const [{ printResult }, { renderTable }] = await Promise.all([
    import("../../output/envelope.ts"),
    import("../../output/table.ts"),
  ]);
  const tokens = (await store.tokens()).map(withoutHash);
  const human = (): string =>
    renderTable<Omit<TokenRecord, "hash">>(
      [
        { title: "id", value: ({ id }) => id },
        { title: "kind", value: ({ kind }) => kind },
        { title: "hosts", value: ({ hosts }) => hosts.join(", ") },
        { title: "made", value: ({ createdMs }) => moment(createdMs) },
        { title: "used", value: ({ usedMs }) => moment(usedMs) },
        { title: "revoked", value: ({ revokedMs }) => moment(revokedMs) },
        { title: "note", value: ({ note }) => note },
      ],
      tokens,
    );
  printResult({ kind: "ApiTokens", data: { tokens }, human }, argv);
}

function withoutHash({ id, kind, hosts, note, createdMs, usedMs, revokedMs }: TokenRecord): Omit<TokenRecord, "hash"> {
  return { id, kind, hosts, note, createdMs, usedMs, revokedMs };
}

async function revokeOne(store: SqliteStore, argv: RevokeArguments): Promise<void> {
  const { printResult } = await import("../../output/envelope.ts");
  if (!(await store.revokeToken(argv.id, Date.now())))
    throw new IkomaError("USAGE", `There is no token ${argv.id}.`, { hint: "See `ikoma api token list`." });
  printResult({ kind: "ApiTokenRevoked", data: { id: argv.id }, human: `${argv.id} is revoked` }, argv);
}

async function inStore(argv: TokenArguments, use: (store: SqliteStore) => Promise<void>): Promise<void> {
  const { SqliteStore } = await import("../../../api/store/sqlite-store.ts");
  const store = SqliteStore.open(argv.state);
  try {
    await use(store);
  } finally {
    store.close();
  }
}

function moment(ms: number | undefined): string {
  return ms === undefined ? "-" : new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
