import type { Argv, CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import type { TokenView } from "../../../core/link/token-protocol.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { openTokenDesk, type DeskArguments, type TokenDesk } from "./token-desk.ts";

interface TokenArguments extends GlobalArguments, DeskArguments {}

interface CreateArguments extends TokenArguments {
  readonly host: string[];
  readonly caller: boolean;
  readonly note: string;
}

interface RevokeArguments extends TokenArguments {
  readonly id: string;
}

/** `ikoma api token …`: who may use the API; works on its store, whether it runs or not, or asks an API elsewhere. */
const command: CommandModule<GlobalArguments, TokenArguments> = {
  command: "token",
  describe: "Tokens for the API: make one, list them, take one back",
  builder: (parser) =>
    parser
      .option("state", { ...oneText, describe: "Folder of the API's store, on the machine where that is" })
      .option("api", {
        ...oneText,
        describe: "Address of an API that runs elsewhere; needs IKOMA_API_ADMIN_TOKEN_FILE (or IKOMA_API_ADMIN_TOKEN)",
      })
      .option("ca-cert", {
        ...oneText,
        describe: "With --api: file with the only authority that its certificate may be from",
      })
      .command(create)
      .command(list)
      .command(revoke)
      .command(admin)
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
      .example("$0 api token create --api URL --caller --host vps1", "For a CLI or CI that deploys there"),
  handler: (argv) => atDesk(argv, (desk) => createOne(desk, argv)),
};

const list: CommandModule<TokenArguments, TokenArguments> = {
  command: "list",
  describe: "All tokens, without their secrets",
  handler: (argv) => atDesk(argv, (desk) => listAll(desk, argv)),
};

const revoke: CommandModule<TokenArguments, RevokeArguments> = {
  command: "revoke <id>",
  describe: "Take a token back: it is refused from now on, what it holds open is ended",
  builder: (parser: Argv<TokenArguments>) =>
    parser.positional("id", { type: "string", demandOption: true, describe: "Its id, as in the list" }),
  handler: (argv) => atDesk(argv, (desk) => revokeOne(desk, argv)),
};

const admin: CommandModule<TokenArguments, TokenArguments> = {
  command: "admin",
  describe: "Make an administrator's token, which manages tokens over HTTP; nothing is kept, nobody is asked",
  builder: (parser: Argv<TokenArguments>) =>
    parser.example("$0 api token admin >admin.token", "Its fingerprint, for the API's settings, is on standard error"),
  handler: makeAdmin,
};

async function createOne(desk: TokenDesk, argv: CreateArguments): Promise<void> {
  const { host: hosts, caller, note } = argv;
  const [{ hostName }, { printResult }] = await Promise.all([
    import("../../../core/link/link-protocol.ts"),
    import("../../output/envelope.ts"),
  ]);
  const wrong = hosts.find((name) => !hostName.safeParse(name).success);
  if (wrong !== undefined) throw new IkomaError("USAGE", `--host: "${wrong}" cannot be the name of a host.`);
  if (!caller && hosts.length > 1)
    throw new IkomaError("USAGE", "An agent's token is for one host: each host has its own.");
  const kind = caller ? "caller" : "agent";
  const { id, token } = await desk.create({ kind, hosts, note });
  printResult({ kind: "ApiToken", data: { id, kind, hosts, note, token }, human: token }, argv);
}

async function listAll(desk: TokenDesk, argv: TokenArguments): Promise<void> {
  const [{ printResult }, { renderTable }] = await Promise.all([
    import("../../output/envelope.ts"),
    import("../../output/table.ts"),
  ]);
  const tokens = await desk.list();
  const human = (): string =>
    renderTable<TokenView>(
      [
        { title: "id", value: ({ id }) => id },
        { title: "kind", value: ({ kind }) => kind },
        { title: "hosts", value: ({ hosts }) => hosts.join(", ") },
        { title: "made", value: ({ createdMs }) => moment(createdMs) },
        { title: "by", value: ({ createdBy = "-" }) => createdBy },
        { title: "used", value: ({ usedMs }) => moment(usedMs) },
        { title: "revoked", value: ({ revokedMs }) => moment(revokedMs) },
        { title: "note", value: ({ note }) => note },
      ],
      tokens,
    );
  printResult({ kind: "ApiTokens", data: { tokens }, human }, argv);
}

async function revokeOne(desk: TokenDesk, argv: RevokeArguments): Promise<void> {
  const { printResult } = await import("../../output/envelope.ts");
  if (!(await desk.revoke(argv.id)))
    throw new IkomaError("USAGE", `There is no token ${argv.id}.`, { hint: "See `ikoma api token list`." });
  printResult({ kind: "ApiTokenRevoked", data: { id: argv.id }, human: `${argv.id} is revoked` }, argv);
}

async function makeAdmin(argv: TokenArguments): Promise<void> {
  const given = (["state", "api", "ca-cert"] as const).find((name) => argv[name] !== undefined);
  if (given !== undefined)
    throw new IkomaError("USAGE", `--${given}: no API and no store is told of an administrator's token.`, {
      hint: "Leave it out, and add the fingerprint to the API's settings.",
    });
  const [{ createAdminToken }, { printResult }] = await Promise.all([
    import("../../../api/tokens.ts"),
    import("../../output/envelope.ts"),
  ]);
  const { text: token, fingerprint } = createAdminToken();
  printResult({ kind: "ApiAdminToken", data: { token, fingerprint }, human: token }, argv);
  if (!argv.json)
    process.stderr.write(`Add it to \`ikoma:bridge.admins\` (or \`api serve --admin\`): ${fingerprint}\n`);
}

async function atDesk(argv: TokenArguments, use: (desk: TokenDesk) => Promise<void>): Promise<void> {
  await using desk = await openTokenDesk(argv);
  await use(desk);
}

function moment(ms: number | undefined): string {
  return ms === undefined ? "-" : new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
