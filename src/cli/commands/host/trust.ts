import { basename } from "node:path";
import type { CommandModule } from "yargs";
import type { HostAddress, TrustDecision } from "../../../core/hosts/host-trust.ts";
import { IkomaError } from "../../../core/errors.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";

interface TrustArguments extends GlobalArguments {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly "identity-file": string | undefined;
  readonly fingerprint: string | undefined;
  readonly replace: boolean;
}

const namePattern = /^[a-z][a-z0-9-]{0,39}$/;

/** `ikoma host trust`: pins a server's key, once somebody has looked at its fingerprint. */
const command: CommandModule<GlobalArguments, TrustArguments> = {
  command: "trust <name> <address>",
  describe: "Pin a server's SSH key and write how to reach it into the stacks' files",
  builder: (parser) =>
    parser
      .positional("name", { type: "string", demandOption: true, describe: "Name of the host in the stacks' files" })
      .positional("address", { type: "string", demandOption: true, describe: "Host name or address" })
      .option("port", { type: "number", requiresArg: true, default: 22, describe: "SSH port" })
      .option("user", {
        type: "string",
        requiresArg: true,
        default: "root",
        describe: "root, or a member of the group docker",
      })
      .option("identity-file", { ...oneText, describe: "Private key (default: the SSH agent and the usual ones)" })
      .option("fingerprint", {
        ...oneText,
        describe: "What the key must be (SHA256:…); asked for where it is left out",
      })
      .option("replace", { type: "boolean", default: false, describe: "Another key than the trusted one is right now" })
      .example("$0 host trust vps1 203.0.113.7", "Show the fingerprint, ask, write Pulumi.hosts.yaml")
      .example("$0 host trust vps1 203.0.113.7 -s prod --fingerprint SHA256:…", "In CI, for the stack prod as well"),
  handler: trustHost,
};

export default command;

async function trustHost(argv: TrustArguments): Promise<void> {
  const host = hostOf(argv);
  const [{ decideTrust, writeTrust }, { readHostFiles }, { scanHostKeys }] = await Promise.all([
    import("../../../core/hosts/host-trust.ts"),
    import("../../../core/hosts/host-files.ts"),
    import("../../../core/transport/host-key-scan.ts"),
  ]);
  const files = await readHostFiles(argv.cwd);
  const keys = await scanHostKeys(host);
  const decision = decideTrust({ host, keys, expected: argv.fingerprint, replace: argv.replace, files });
  if (decision.state === "ask") await ask(argv, host, decision);
  const written = await writeTrust(argv.cwd, host, decision.hostKey, argv.stack === undefined ? [] : [argv.stack]);
  const { printResult } = await import("../../output/envelope.ts");
  const { fingerprint, hostKey } = decision;
  const changed = written.filter((file) => file.changed).map((file) => basename(file.path));
  const into = changed.length === 0 ? "nothing to change" : `written to ${changed.join(", ")}`;
  const data = { ...host, hostKey, fingerprint, files: written };
  printResult({ kind: "HostTrusted", data, human: `${host.name} is ${host.address}, ${fingerprint}: ${into}` }, argv);
}

function hostOf({ name, address, port, user, "identity-file": identityFile }: TrustArguments): HostAddress {
  if (!namePattern.test(name)) {
    const hint = "Use lower-case letters, digits and hyphens, starting with a letter, at most 40.";
    throw new IkomaError("USAGE", `"${name}" cannot be the name of a host.`, { hint });
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new IkomaError("USAGE", "--port: a number from 1 to 65535.");
  return { name, address, port, user, ...(identityFile !== undefined && { identityFile }) };
}

/** `--yes` does not answer this: it says "go on", not "I have compared". */
async function ask(argv: TrustArguments, host: HostAddress, { fingerprint, hostKey }: TrustDecision): Promise<void> {
  const type = hostKey.split(" ")[0] ?? "";
  if (!process.stdin.isTTY || !process.stderr.isTTY || argv.json) {
    throw new IkomaError(
      "HOST_KEY_UNKNOWN",
      `${host.address} shows the key ${fingerprint} (${type}), and nobody is there to compare it.`,
      {
        hint: `Compare it with the server's own (\`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\`), then add --fingerprint ${fingerprint}.`,
        details: { fingerprint },
      },
    );
  }
  process.stderr.write(
    `${host.address} shows the key\n  ${fingerprint} (${type})\n` +
      "The server's own, by its console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n",
  );
  const { confirm } = await import("../../confirm.ts");
  await confirm("Is it the same?", new AbortController().signal);
}
