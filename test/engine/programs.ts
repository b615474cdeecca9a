import * as pulumi from "@pulumi/pulumi";
import type { Program } from "../../src/core/engine/language-server.ts";

/** Where the fake agent of {@link hostProgram} answers. */
export const hostAddress = "10.0.0.1";

/** An explicit provider for the host at `address`. */
export class IkomaHost extends pulumi.ProviderResource {
  constructor(name: string, address: string, more: pulumi.Inputs = {}) {
    super("ikoma", name, {
      host: name,
      address,
      port: 22,
      user: "root",
      hostKey: "ssh-ed25519 AAAA",
      offline: false,
      ...more,
    });
  }
}

/** A resource by its token, without a typed class. */
export class AnyResource extends pulumi.CustomResource {
  declare readonly number: pulumi.Output<number>;

  constructor(
    token: string,
    name: string,
    inputs: pulumi.Inputs,
    provider: pulumi.ProviderResource,
    options: pulumi.CustomResourceOptions = {},
  ) {
    super(token, name, { number: undefined, ...inputs }, { provider, ...options });
  }
}

/** `sha256:` and 64 times the same digit. */
export function digestOf(digit: string): string {
  return `sha256:${digit.repeat(64)}`;
}

export function imageOf(digit: string): string {
  return `registry.example/web@${digestOf(digit)}`;
}

/** Inputs of a release with one web service. */
export function releaseInputs(version: string, environment: pulumi.Inputs = { MODE: "a" }): pulumi.Inputs {
  const web = { kind: "web", image: imageOf("1"), environment };
  return { app: "shop", version, bundle: digestOf("c"), services: { web } };
}

/** One resource on one host. */
export function hostProgram(token: string, inputs: pulumi.Inputs): Program {
  return () => {
    const host = new IkomaHost("vps1", hostAddress);
    const resource = new AnyResource(token, "shop", inputs, host);
    return Promise.resolve({ number: resource.number });
  };
}

export function releaseProgram(version: string): Program {
  return hostProgram("ikoma:vps:Release", releaseInputs(version));
}
