import * as pulumi from "@pulumi/pulumi";
import { offlineRefusal } from "../../src/core/config/offline.ts";

interface AnyHost {
  /** Name of the host, as in `ikoma:hosts`. Another name is another host: what is on it is made anew there. */
  host: pulumi.Input<string>;
  /**
   * Plan without looking at the host; changes are refused.
   * @default false
   */
  offline?: pulumi.Input<boolean> | undefined;
}

interface SshHost extends AnyHost {
  /** Name or address that SSH connects to. */
  address: pulumi.Input<string>;
  /** @default 22 */
  port?: pulumi.Input<number> | undefined;
  /**
   * root, or a member of the group docker.
   * @default "root"
   */
  user?: pulumi.Input<string> | undefined;
  /** The server's public key, as `ssh-ed25519 AAAA…`. */
  hostKey: pulumi.Input<string>;
  /** Private key file; without it the SSH agent and the usual files of ~/.ssh are tried. */
  identityFile?: pulumi.Input<string> | undefined;
}

interface ApiHost extends AnyHost {
  /** Address of the Bridge's API, which the host's agent dials out to. */
  api: pulumi.Input<string>;
  /** Certificate (PEM) of the only authority that the API's may be from. */
  caCert?: pulumi.Input<string> | undefined;
}

interface LocalHost extends AnyHost {
  /** Socket of the agent on this very machine. */
  socket: pulumi.Input<string>;
}

/** One of three ways to a host: SSH, the Bridge's API, the socket itself. */
export type HostProviderArgs = SshHost | ApiHost | LocalHost;

/** How to reach one host. Everything on that host is made with this provider, given explicitly. */
export class HostProvider extends pulumi.ProviderResource {
  constructor(name: string, args: HostProviderArgs, options?: pulumi.ResourceOptions) {
    if (args.offline === true && !pulumi.runtime.isDryRun()) throw offlineRefusal();
    super("ikoma", name, { ...args }, options);
  }
}
