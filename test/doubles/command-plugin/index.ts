/**
 * Stands for Pulumi's plugin `command` 1.2.1, for the one resource that the project uses of it: `command:remote:Command`.
 * A real provider on a real port, which the engine dials as it would the plugin (`PULUMI_DEBUG_PROVIDERS=command:PORT`),
 * and which really logs in over SSH and runs what it is given.
 *
 * Modelled on the schema and the SDK of the npm package @pulumi/command 1.2.1 (names, defaults, what is secret, what
 * replaces) and on github.com/pulumi/pulumi-command v1.2.1, provider/pkg/provider/remote (what is run when, what an
 * error says, how it logs in). Stricter than that in one thing: an input that the schema does not have is refused.
 *
 * Not checked against the real plugin, which cannot be had where this was written: the wording of Go's own SSH errors,
 * the pauses between dials (here none), what `check` makes of wrong types, proxies, passwords, and encrypted keys
 * (refused here).
 */
import type { Server } from "@grpc/grpc-js";
import { createEngineServer, listen } from "../../../src/provider/server.ts";
import { providerServices } from "../../../src/provider/wire/proto.ts";
import { commandService } from "./service.ts";
import type { RemoteRun } from "./remote-run.ts";

/** The double, listening. */
export class CommandPlugin implements AsyncDisposable {
  /** Every command that was run on a host, in order. */
  readonly runs: RemoteRun[] = [];
  /** What it wrote to the engine's log. */
  readonly logged: string[] = [];
  readonly #server: Server = createEngineServer();
  #port = 0;

  /** @param environment what the plugin's process would have: SSH_AUTH_SOCK is looked up there */
  static async start(environment: NodeJS.ProcessEnv = {}): Promise<CommandPlugin> {
    const plugin = new CommandPlugin();
    const service = commandService({ environment, runs: plugin.runs, logged: plugin.logged });
    plugin.#server.addService(providerServices.ResourceProviderService, service);
    plugin.#port = await listen(plugin.#server);
    return plugin;
  }

  /** For PULUMI_DEBUG_PROVIDERS. */
  get attachment(): string {
    return `command:${this.#port}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    return Promise.resolve();
  }
}
