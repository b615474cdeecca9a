import * as pulumi from "@pulumi/pulumi";
import { offlineRefusal } from "../../src/core/config/offline.ts";

export interface HostProviderArgs {
  /** Name of the host, as in `ikoma:hosts`. Another name is another host: what is on it is made anew there. */
  host: pulumi.Input<string>;
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
  /**
   * Plan without looking at the host; changes are refused.
   * @default false
   */
  offline?: pulumi.Input<boolean> | undefined;
}

/** How to reach one host. Everything on that host is made with this provider, given explicitly. */
export class HostProvider extends pulumi.ProviderResource {
  constructor(name: string, args: HostProviderArgs, options?: pulumi.ResourceOptions) {
    if (args.offline === true && !pulumi.runtime.isDryRun()) throw offlineRefusal();
    super("ikoma", name, { ...args }, options);
  }
}
