import * as pulumi from "@pulumi/pulumi";
import type {
  BakePolicy,
  HealthProbe,
  ReleaseStrategy,
  Route,
  SmokeCheck,
} from "../../src/core/release/release-spec.ts";

export interface ReleaseArgs {
  /** Name of the app on the host. Another name is another app. */
  app: pulumi.Input<string>;
  /** Version label, for people. */
  version: pulumi.Input<string>;
  /** Digest of the bundle that it is made from. */
  bundle: pulumi.Input<string>;
  /** Compose services by name, every variable filled in, each with its `kind`. */
  services: pulumi.Input<Record<string, unknown>>;
  /** Named volumes that the services mount. */
  volumes?: pulumi.Input<Record<string, unknown>> | undefined;
  /** Which paths go to which service. */
  routes?: pulumi.Input<Route[]> | undefined;
  /** Requests that must be answered as expected, before and after the switch. */
  smoke?: pulumi.Input<SmokeCheck[]> | undefined;
  /** How readiness is told where a service has no health check of its own. */
  health?: pulumi.Input<HealthProbe> | undefined;
  /** How long old connections may live on after the switch, in seconds. */
  drainSeconds?: pulumi.Input<number> | undefined;
  /**
   * How it takes the place of the release before.
   * @default beside it, then switched to
   */
  strategy?: pulumi.Input<ReleaseStrategy> | undefined;
  /** The app's release configuration, which the host keeps for a rollback. Free of secrets. */
  source?: pulumi.Input<Record<string, unknown>> | undefined;
  /** For the history: why it was deployed. */
  note?: pulumi.Input<string> | undefined;
  /**
   * Deploy although this bundle was taken back, by a rollback or for a failed bake.
   * @default false
   */
  redeploy?: pulumi.Input<boolean> | undefined;
  /** Number of the deployment that this is a rollback to. What served after it is withdrawn. */
  rollbackTo?: pulumi.Input<number> | undefined;
  /**
   * How many good deployments stay ready for a rollback.
   * @default 5
   */
  keep?: pulumi.Input<number> | undefined;
  /**
   * Values of the secrets that it uses, by name; secrets themselves. They are masked in what the services print, and
   * the host keeps them, sealed, for a rollback that brings them back.
   */
  secrets?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
  /** Number of the deployment whose secrets the host puts where `services` have markers for them. */
  secretsOf?: pulumi.Input<number> | undefined;
  /** Versions of the migrations that its bundle knows: it is refused where its database has others that it cannot live with. */
  migrations?: pulumi.Input<string[]> | undefined;
  /**
   * How it is watched after the switch, and when it is taken back.
   * @default 10 s, 1 % of errors, at least 20 requests to judge
   */
  bake?: pulumi.Input<BakePolicy> | undefined;
}

/** State of one service on the host. */
export interface ServiceState {
  kind: string;
  image: string;
  state: string;
  healthy: boolean;
  replicas: number;
}

/** What serves an app. Each change is a cut-over without a gap, or is taken back. */
export class Release extends pulumi.CustomResource {
  declare readonly version: pulumi.Output<string>;
  declare readonly bundle: pulumi.Output<string>;
  /** Number of the deployment in the host's ledger. */
  declare readonly number: pulumi.Output<number>;
  /** Digest of the deployment: bundle, configuration and secrets together. */
  declare readonly digest: pulumi.Output<string>;
  declare readonly status: pulumi.Output<Record<string, ServiceState>>;

  constructor(name: string, args: ReleaseArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:vps:Release", name, { ...args, number: undefined, digest: undefined, status: undefined }, options);
  }
}
