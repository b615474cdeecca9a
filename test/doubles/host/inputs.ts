import { randomUUID } from "node:crypto";
import type { ReleaseStrategy } from "../../../src/core/release/release-spec.ts";
import type { Holder, OperationInput, OperationKind } from "../../../src/agent/protocol/operations.ts";
import type { OperationRunner, StartRequest } from "../../../src/agent/operations/operation-runner.ts";
import type { OperationView } from "../../../src/agent/protocol/operations.ts";
import { operations } from "../../../src/agent/protocol/operations.ts";
import type { Program } from "./engine.ts";
import type { TestHost } from "./host.ts";

export const webPort = 8080;

/** A reference by digest that differs for each name. */
export function imageOf(name: string): string {
  return `registry.example/${name}@sha256:${Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64)}`;
}

export function digestOf(digit: string): string {
  return `sha256:${digit.repeat(64)}`;
}

export function aHolder(label = "anna@laptop"): Holder {
  return { id: randomUUID(), label };
}

/** A release of one web service with the image `name`; the host gets the image. */
export function aRelease(
  on: TestHost,
  name: string,
  {
    app = "shop",
    program = {},
    redact = [],
    keep = 5,
    redeploy = false,
    rollbackTo,
    bake = { seconds: 0 },
    strategy,
    secrets,
    secretsOf,
    ...spec
  }: ReleaseChanges = {},
): OperationInput<"release.apply"> {
  const image = imageOf(name);
  on.engine.images.set(image, { ports: [webPort], ...program });
  return operations["release.apply"].input.parse({
    spec: {
      app,
      version: name,
      bundle: digestOf("a"),
      services: { web: { kind: "web", image, environment: { VERSION: name } } },
      routes: [{ path: "/", service: "web", port: webPort }],
      // A busy machine may take long to start a program; what fails is to fail for what a test says.
      health: { timeoutSeconds: 30 },
      drainSeconds: 0,
      ...spec,
    },
    source: { bundle: name },
    redact,
    keep,
    redeploy,
    rollbackTo,
    bake,
    strategy,
    secrets,
    secretsOf,
  });
}

interface ReleaseChanges {
  app?: string;
  program?: Program;
  redact?: string[];
  keep?: number;
  redeploy?: boolean;
  rollbackTo?: number;
  bake?: object;
  strategy?: ReleaseStrategy;
  secrets?: Record<string, string>;
  secretsOf?: number;
  bundle?: string;
  services?: object;
  routes?: object[];
  smoke?: object[];
  volumes?: object;
  drainSeconds?: number;
  health?: object;
}

/** Accessories of one database with the image `name`; the host gets the image. */
export function someAccessories(
  on: TestHost,
  services: Record<string, string>,
  app = "shop",
): OperationInput<"accessories.apply"> {
  for (const name of Object.values(services))
    if (!on.engine.images.has(imageOf(name))) on.engine.images.set(imageOf(name), {});
  const specs = Object.entries(services).map(([service, name]): [string, object] => [
    service,
    { kind: "accessory", image: imageOf(name), healthcheck: { test: "true" } },
  ]);
  return operations["accessories.apply"].input.parse({ spec: { app, services: Object.fromEntries(specs) } });
}

export function aRequest(kind: OperationKind, input: unknown, more: Partial<StartRequest> = {}): StartRequest {
  return { key: randomUUID(), kind, input, expectedGeneration: null, holder: aHolder(), ...more };
}

/** Starts the operation and waits for its end. */
export async function run(
  runner: OperationRunner,
  kind: OperationKind,
  input: unknown,
  more: Partial<StartRequest> = {},
): Promise<OperationView> {
  const request = aRequest(kind, input, more);
  runner.start(request);
  return runner.attach(request.key, 0, () => undefined);
}
