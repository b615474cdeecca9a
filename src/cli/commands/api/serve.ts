import type { CommandModule } from "yargs";
import { IkomaError } from "../../../core/errors.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { cliVersion } from "../../version.ts";

interface ServeArguments extends GlobalArguments {
  readonly listen: string;
  readonly state: string;
  readonly "tls-cert": string | undefined;
  readonly "tls-key": string | undefined;
  readonly admin: string[];
}

/** `ikoma api serve`: the Bridge's API, until it is told to end. */
const command: CommandModule<GlobalArguments, ServeArguments> = {
  command: "serve",
  describe: "Serve the Bridge's API, which agents dial out to and through which they are reached",
  builder: (parser) =>
    parser
      .option("listen", {
        type: "string",
        requiresArg: true,
        default: "127.0.0.1:7410",
        describe: "Address and port; other than on this machine itself only with TLS",
      })
      .option("state", {
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "Folder of its store; made where there is none",
      })
      .option("tls-cert", { ...oneText, describe: "File with the certificate and what it is signed by (PEM)" })
      .option("tls-key", { ...oneText, describe: "File with the key of the certificate (PEM)" })
      .option("admin", {
        type: "string",
        array: true,
        nargs: 1,
        default: [],
        describe: "Fingerprint of an administrator's token (`api token admin`), which may manage tokens (repeatable)",
      })
      .example("$0 api serve --state /var/lib/ikoma-api", "Behind a proxy on the same machine")
      .example("$0 api serve --state … --listen 0.0.0.0:443 --tls-cert …", "With a certificate of its own"),
  handler: serve,
};

export default command;

async function serve(argv: ServeArguments): Promise<void> {
  const place = placeOf(argv.listen);
  const tls = tlsOf(argv);
  const [{ requireFingerprint }, { serveUntilTold }, { printResult }] = await Promise.all([
    import("../../../core/link/admin-fingerprint.ts"),
    import("../../../api/serve.ts"),
    import("../../output/envelope.ts"),
  ]);
  const admins = argv.admin.map((text) => requireFingerprint(text, "--admin", "USAGE"));
  await serveUntilTold({ ...place, tls, state: argv.state, version: cliVersion, admins }, (address) => {
    printResult({ kind: "ApiServing", data: { address }, human: `The API listens on ${address}` }, argv);
  });
}

function placeOf(listen: string): { host: string; port: number } {
  const [, host, port] = /^(\[[0-9a-fA-F:]+\]|[^:]+):(\d{1,5})$/.exec(listen) ?? [];
  if (host !== undefined && Number(port) <= 65535) return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
  throw new IkomaError("USAGE", `--listen: "${listen}" is no ADDRESS:PORT.`, { hint: "Such as 127.0.0.1:7410." });
}

function tlsOf({ "tls-cert": certFile, "tls-key": keyFile }: ServeArguments) {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile === undefined && keyFile === undefined) return undefined;
  throw new IkomaError("USAGE", "--tls-cert and --tls-key belong together; one of them is missing.");
}
