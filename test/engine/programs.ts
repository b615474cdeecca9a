import { once } from "node:events";
import { connect, type Socket } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { Program } from "../../src/core/engine/language-server.ts";
import { AgentClient } from "../../src/core/transport/agent-client.ts";
import type { HostAccess } from "../../src/provider/hosts/agent-access.ts";
import { fakeHosts } from "../doubles/agent.ts";

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

/** An app as an environment has it: site, bundle, accessories, release, one after the other below a component. */
export function wholeApp(app: string): Program {
  return () => {
    const host = new IkomaHost("vps1", hostAddress);
    const component = new pulumi.ComponentResource("ikoma:index:App", app);
    const db = { kind: "accessory", image: imageOf("2"), environment: {} };
    const routes = [{ path: "/", service: "web", port: 8080 }];
    const parts: [string, pulumi.Inputs][] = [
      ["ikoma:vps:Site", { app, domains: [`${app}.example`] }],
      ["ikoma:vps:Bundle", { app, bundle: digestOf("c"), images: [imageOf("1"), imageOf("2")] }],
      ["ikoma:vps:Accessories", { app, services: { db } }],
      ["ikoma:vps:Release", { ...releaseInputs("v1"), app, routes }],
    ];
    const before: pulumi.Resource[] = [];
    for (const [token, inputs] of parts)
      before.push(new AnyResource(token, app, inputs, host, { parent: component, dependsOn: [...before] }));
    return Promise.resolve({});
  };
}

/** The agent that listens on a socket, through the real client, whatever host is asked for. */
export function agentAt(socket: string): HostAccess {
  const open = async (): Promise<Socket> => {
    const stream = connect(socket);
    await once(stream, "connect");
    return stream;
  };
  return { ...fakeHosts({}), openAgent: () => Promise.resolve(new AgentClient(open)) };
}
