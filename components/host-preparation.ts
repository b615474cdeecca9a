import { createRequire } from "node:module";
import type * as CommandSdk from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { HostConfig, PrepareStep } from "../src/core/config/schema.ts";
import { withholdInput } from "../src/core/engine/command-failure.ts";
import { IkomaError } from "../src/core/errors.ts";
import { shellQuote } from "../src/core/transport/remote-script.ts";

export interface HostPreparationArgs {
  /** How to reach the host. */
  connection: HostConfig;
  /** Key to log in with, as text; without it the plugin asks the SSH agent. */
  privateKey?: string | undefined;
  /** What is done, in this order. */
  steps: readonly PrepareStep[];
  /** Plan without looking at the host: nobody looked for a key, so the one in the state is taken for the right one. */
  offline?: boolean;
}

/** The host was dialled a moment before, so more than a hiccup will not pass; the plugin's own default is ten. */
const dialErrorLimit = 3;
const dialTimeoutSeconds = 10;

/** What the plugin runs where only the way to the host or the undoing is another: it has to run something. */
const nothing = "cat >/dev/null";

/**
 * The steps that prepare a host, each a `command:remote:Command` that depends on the one before. A changed script is a
 * replacement, with the old one undone first: as an update the plugin would run it as well when only a key has changed.
 * Names are `<host>/<step>`, by which the stack `hosts` targets and forgets them.
 */
export function prepareHost(host: string, args: HostPreparationArgs, parent: pulumi.Resource): pulumi.Resource[] {
  const { remote } = loadCommandSdk();
  const connection = pulumi.secret(commandConnection(args));
  const made: pulumi.Resource[] = [];
  for (const { name, create, delete: undo, stdin, triggers } of args.steps) {
    if (stdin !== undefined) withholdInput(stdin);
    const inputs: CommandSdk.remote.CommandArgs = {
      connection,
      create: strictScript(create),
      update: nothing,
      triggers,
      // What a script prints may hold what it was given.
      logging: "none",
      addPreviousOutputInEnv: false,
      ...(undo !== undefined && { delete: strictScript(undo) }),
      ...(stdin !== undefined && { stdin: pulumi.secret(stdin) }),
    };
    const step = new remote.Command(`${host}/${name}`, inputs, {
      parent,
      dependsOn: made.slice(-1),
      deleteBeforeReplace: true,
      replaceOnChanges: ["create", "stdin"],
      additionalSecretOutputs: ["stdout", "stderr"],
      ...(args.offline === true && { ignoreChanges: ["connection"] }),
    });
    made.push(step);
  }
  return made;
}

/** Only here: a program whose hosts need no preparing neither loads the package nor needs its plugin. */
function loadCommandSdk(): typeof CommandSdk {
  return createRequire(import.meta.url)("@pulumi/command") as typeof CommandSdk;
}

function commandConnection({
  connection,
  privateKey,
}: HostPreparationArgs): CommandSdk.types.input.remote.ConnectionArgs {
  const { address, port, user, hostKey } = connection;
  if (hostKey.startsWith("ssh-rsa ")) {
    throw new IkomaError(
      "CONFIG_INVALID",
      `The steps of \`prepare\` cannot be run on ${address}: its pinned key is an RSA key.`,
      {
        hint: "The plugin proves RSA keys with SHA-1 only, which servers refuse. Trust another of the host's keys: `ikoma host trust … --replace`.",
      },
    );
  }
  return {
    host: address,
    port,
    user,
    hostKey,
    dialErrorLimit,
    perDialTimeout: dialTimeoutSeconds,
    ...(privateKey !== undefined && { privateKey }),
  };
}

/** Whatever the user's login shell is. */
function strictScript(script: string): string {
  return `exec sh -ec ${shellQuote(script)}`;
}
