import * as pulumi from "@pulumi/pulumi";

export interface MigrationCommandArgs {
  /** The app whose database it is for. */
  app: pulumi.Input<string>;
  /** Digest of the bundle that it is from: another bundle is another run. */
  bundle: pulumi.Input<string>;
  /** The service whose image it is in. */
  service: pulumi.Input<string>;
  /** Program and arguments. */
  command: pulumi.Input<string[]>;
  /** How long it may take, in seconds. */
  timeoutSeconds: pulumi.Input<number>;
  /** That service, every variable filled in. */
  definition: pulumi.Input<unknown>;
  /** Named volumes that it mounts. */
  volumes?: pulumi.Input<Record<string, unknown>> | undefined;
  /** Values of the secrets that it uses, by name; secrets themselves. They are masked in what it prints. */
  secrets?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
  /** Of a signed bundle, the values of its other variables: the host fills them in itself, and compares. */
  env?: pulumi.Input<Record<string, string>> | undefined;
}

/** A program of the app's own image that migrates its database, run once for each bundle. Deleting it undoes nothing. */
export class MigrationCommand extends pulumi.CustomResource {
  constructor(name: string, args: MigrationCommandArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:data:MigrationCommand", name, { ...args }, options);
  }
}
