import yargs, { type Argv, type CommandModule } from "yargs";
import { IkomaError } from "../core/errors.ts";
import driftCommand from "./commands/drift.ts";
import initCommand from "./commands/init.ts";
import statusCommand from "./commands/status.ts";
import { withGlobalOptions } from "./global-options.ts";
import { cliVersion } from "./version.ts";

/** Columns of the help where stderr is no terminal (and at most, where it is one): fixed, so that it can be compared. */
const helpColumns = 100;

/**
 * A module that holds a command as its default export. Loaded only when its group was named on the command line,
 * and itself loading what it needs only in its handler: `ikoma status` must not pay for `ikoma deploy`.
 */
type LazyCommand = () => Promise<{ readonly default: unknown }>;

interface Group {
  readonly name: string;
  readonly describe: string;
  readonly commands: readonly LazyCommand[];
}

const groups: readonly Group[] = [
  {
    name: "host",
    describe: "Servers: trust their key, set them up, see how they are, forget them",
    commands: [
      () => import("./commands/host/trust.ts"),
      () => import("./commands/host/bootstrap.ts"),
      () => import("./commands/host/status.ts"),
      () => import("./commands/host/forget.ts"),
    ],
  },
  {
    name: "project",
    describe: "Lovable projects: recognise one, build its image, write its files",
    commands: [
      () => import("./commands/project/inspect.ts"),
      () => import("./commands/project/build.ts"),
      () => import("./commands/project/write.ts"),
    ],
  },
  {
    name: "bundle",
    describe: "Release bundles: make one from a compose file, look into one, sign it",
    commands: [
      () => import("./commands/bundle/create.ts"),
      () => import("./commands/bundle/inspect.ts"),
      () => import("./commands/bundle/sign.ts"),
      () => import("./commands/bundle/verify.ts"),
      () => import("./commands/bundle/keygen.ts"),
    ],
  },
  {
    name: "deploy",
    describe: "Plan a deploy, apply it, take it back, see what was deployed",
    commands: [
      () => import("./commands/deploy/plan.ts"),
      () => import("./commands/deploy/approve.ts"),
      () => import("./commands/deploy/apply.ts"),
      () => import("./commands/deploy/rollback.ts"),
      () => import("./commands/deploy/repair.ts"),
      () => import("./commands/deploy/status.ts"),
      () => import("./commands/deploy/history.ts"),
    ],
  },
  {
    name: "backup",
    describe: "Backups of an app's database: take, verify, fetch, go back to one",
    commands: [
      () => import("./commands/backup/create.ts"),
      () => import("./commands/backup/list.ts"),
      () => import("./commands/backup/verify.ts"),
      () => import("./commands/backup/restore.ts"),
      () => import("./commands/backup/download.ts"),
      () => import("./commands/backup/upload.ts"),
      () => import("./commands/backup/pin.ts"),
    ],
  },
  {
    name: "secrets",
    describe: "The secret store: set values, see who set them, say who can read them",
    commands: [
      () => import("./commands/secrets/init.ts"),
      () => import("./commands/secrets/keygen.ts"),
      () => import("./commands/secrets/writers.ts"),
      () => import("./commands/secrets/recipients.ts"),
      () => import("./commands/secrets/set.ts"),
      () => import("./commands/secrets/list.ts"),
      () => import("./commands/secrets/history.ts"),
      () => import("./commands/secrets/get.ts"),
      () => import("./commands/secrets/rm.ts"),
      () => import("./commands/secrets/purge.ts"),
    ],
  },
  {
    name: "app",
    describe: "Apps: delete for good what a removed one has left",
    commands: [() => import("./commands/app/purge.ts")],
  },
  {
    name: "api",
    describe: "The Bridge's API: serve it, say who may use it",
    commands: [() => import("./commands/api/serve.ts"), () => import("./commands/api/token.ts")],
  },
  {
    name: "supabase",
    describe: "A Supabase of one's own: make the keys of a self-hosted one",
    commands: [() => import("./commands/supabase/keys.ts")],
  },
  {
    name: "config",
    describe: "The settings of an environment",
    commands: [() => import("./commands/config/explain.ts")],
  },
];

/** The whole command line. Parse it with `parseAsync`; failures are thrown, nothing exits. */
export function createCommandLine(args: readonly string[]): Argv {
  const parser = withGlobalOptions(yargs([...args]))
    .scriptName("ikoma")
    .usage(
      "$0 <command>\n\nDeploys compose applications to your own servers: planned, without downtime, with a way back.",
    )
    .example([
      ["$0 deploy plan -s prod --bundle REF", "Show what a deploy would change"],
      ["$0 deploy apply -s prod --bundle REF", "Deploy, after asking"],
      ["$0 deploy rollback -s prod", "Go back to the last good deployment"],
      ["$0 status -s prod", "What runs"],
      ["$0 drift -s prod", "What differs from what was applied"],
    ]);
  for (const group of groups) mountGroup(parser, group);
  mount(parser, initCommand);
  mount(parser, statusCommand);
  mount(parser, driftCommand);
  return parser
    .version(cliVersion)
    .alias("help", "h")
    .strict()
    .demandCommand(1, "Which command?")
    .recommendCommands()
    .completion("completion", "Print a completion script for the shell")
    .wrap(process.stderr.isTTY ? Math.min(helpColumns, process.stderr.columns) : helpColumns)
    .locale("en")
    .exitProcess(false)
    .fail((message: string | undefined, error: Error | undefined) => throwFailure(args, message, error));
}

/** yargs gives its own findings as a message, and what a handler threw as the error. */
function throwFailure(args: readonly string[], message: string | undefined, error: Error | undefined): never {
  if (error !== undefined && error.name !== "YError") throw error;
  const told = message ?? error?.message ?? "The command line cannot be read.";
  const unknown = /^Unknown arguments?: (.*)$/s.exec(told)?.[1];
  const isWord = unknown !== undefined && args.some((word) => `, ${unknown}, `.includes(`, ${word}, `));
  // What stands there after a secret's name is its value, which belongs into no log.
  if (isWord && args.includes("secrets") && args.includes("set"))
    throw new IkomaError("USAGE", "A secret's value is not taken from the command line, which all users can read.", {
      hint: "Pipe it into the command, or type it when you are asked. What stood there is in the shell's history now.",
    });
  throw new IkomaError("USAGE", told);
}

function mountGroup(parser: Argv, group: Group): void {
  parser.command(group.name, group.describe, async (inGroup) => {
    for (const { default: command } of await Promise.all(group.commands.map((load) => load()))) mount(inGroup, command);
    return inGroup.demandCommand(1, `Which command of ${group.name}?`);
  });
}

// yargs' own type demands one argument type for all commands; each is checked where it is written.
function mount(parser: Argv, command: unknown): void {
  parser.command(command as CommandModule);
}
