import { join } from "node:path";
import { maxParallel } from "../../../core/release/release-spec.ts";
import type { BakePolicy, ReleaseSpec } from "../../../core/release/release-spec.ts";
import { IkomaError, toIkomaError } from "../../../core/errors.ts";
import { edgeView, hostNameOf, siteOf } from "../../edge-from-ledger.ts";
import { checkEdgeView } from "../../edge/edge-view.ts";
import type { EdgeApp, EdgeServer } from "../../edge/edge.ts";
import { bake } from "../../gate/bake.ts";
import { runSmokeChecks } from "../../gate/smoke.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment, ReleaseInput } from "../../ledger/deployments.ts";
import type { Placement } from "../compose-project.ts";
import { runCanary } from "./release-canary.ts";
import { rollOver, roundsOf } from "./release-rolling.ts";
import { gateTargets, startWorkers } from "./release-start.ts";

/** From the first request through the edge to the entry in the ledger that makes the release the current one. */
export async function cutOver(
  host: Host,
  input: ReleaseInput,
  deployment: LedgerDeployment,
  placements: readonly Placement[],
  op: OperationContext,
): Promise<void> {
  const { spec } = input;
  const servers = host.deployments.require(spec.app, deployment.number).servers;
  await op.enter("smoking");
  const next: EdgeApp = { ...siteOf(host, spec.app), routes: spec.routes, servers };
  await host.edge.ensure(() => {
    const view = edgeView(host, spec);
    // Not before it is known to be valid: from here on every other app's view has these backends too.
    checkEdgeView(view);
    host.prepared.set(spec.app, spec);
    return view;
  });
  const running = serversUp(host, input, placements, servers);
  await smokeAsCandidate(host, spec, { ...next, servers: running }, op);

  await runCanary(host, input, deployment, placements, op);
  await rollOver(host, input, deployment, placements, op);
  await op.enter("switching");
  op.signal.throwIfAborted();
  await host.edge.switchTo(next);
  tellAway(host, input, op);
  await verifyServed(host, spec.app, servers);
  await smokeInPublic(host, spec, next, op);
  await startWorkers(host, spec, deployment.number, placements, op);

  await op.enter("baking");
  const targets = await gateTargets(host, spec, deployment.number, placements, new Map());
  const names = servers.map((each) => each.name);
  await unlessFirst(host, deployment, op, () =>
    bake(host, { app: spec.app, policy: policyOf(input), health: spec.health, targets, servers: names }, op),
  );

  // Said again, because a change for another app may have come in between; recorded before any other change can.
  await host.edge.switchTo(next, () => {
    host.deployments.makeCurrent(spec.app, deployment.number);
    return edgeView(host);
  });
  await op.enter("switched");
  op.step("switched", `#${deployment.number} (${spec.version}) serves`);
}

/** Those that run already: of a release that rolls the first round. */
function serversUp(
  host: Host,
  input: ReleaseInput,
  placements: readonly Placement[],
  servers: readonly EdgeServer[],
): EdgeServer[] {
  if (maxParallel(input.strategy) === undefined) return [...servers];
  const [first = []] = roundsOf(host, input, placements);
  return servers.filter((each) => first.some(({ address }) => address === each.address));
}

/** How long nothing served, where the release before had to go first. */
function tellAway(host: Host, { spec, strategy }: ReleaseInput, op: OperationContext): void {
  const sinceMs = host.standingDown.get(spec.app);
  if (strategy !== "replace" || sinceMs === undefined) return;
  op.step("away", `nothing served for ${Math.round(performance.now() - sinceMs)} ms; requests waited at the edge`);
}

/** Whoever goes back leaves something that is worse: a rollback is not taken back. */
function policyOf({ rollbackTo, bake: policy }: ReleaseInput): BakePolicy {
  return rollbackTo === undefined ? policy : { ...policy, seconds: 0 };
}

/** An app's first release has none before it to go back to: bad as it is, it serves on, and says so. */
async function unlessFirst(
  host: Host,
  { app, number }: LedgerDeployment,
  op: OperationContext,
  watch: () => Promise<void>,
): Promise<void> {
  try {
    await watch();
  } catch (error) {
    const { code, message } = toIkomaError(error);
    if (code !== "RELEASE_BAKE_FAILED" || host.deployments.current(app) !== undefined) throw error;
    host.deployments.remark(app, number, op.redact(message));
    op.warn("bake", `${message} There is no release to go back to, so #${number} serves on.`);
  }
}

async function smokeAsCandidate(
  host: Host,
  spec: ReleaseSpec,
  candidate: EdgeApp,
  op: OperationContext,
): Promise<void> {
  if (spec.smoke.length === 0 || candidate.servers.length === 0) return;
  await host.edge.addCandidates(candidate);
  try {
    const route = {
      target: { socketPath: join(host.paths.edge, "candidate.sock") },
      host: hostNameOf(host, spec.app),
      // As visitors will: an app that wants TLS only would send a check by plain HTTP elsewhere.
      headers: isByTls(candidate) ? { "x-forwarded-proto": "https" } : {},
      where: "before the switch",
    };
    await runSmokeChecks(spec.smoke, route, op);
  } finally {
    await host.edge.removeCandidates(spec.app);
  }
  op.step("smoke", `${spec.smoke.length} checks passed before the switch`);
}

/** An edge that was restarted serves the old release, or nobody: what it then answers is no fault of the new one. */
async function smokeInPublic(
  host: Host,
  { app, smoke }: ReleaseSpec,
  next: EdgeApp,
  op: OperationContext,
): Promise<void> {
  const { httpPort, httpsPort } = host.settings;
  const tls = isByTls(next);
  const target = { address: "127.0.0.1", port: tls ? httpsPort : httpPort, tls };
  try {
    await runSmokeChecks(smoke, { target, host: hostNameOf(host, app), where: "on the public route" }, op);
  } catch (error) {
    await verifyServed(host, app, next.servers);
    throw error;
  }
}

function isByTls({ certificatePem }: EdgeApp): boolean {
  return certificatePem !== undefined;
}

async function verifyServed(host: Host, app: string, servers: readonly EdgeServer[]): Promise<void> {
  const served = await host.edge.served(app);
  const missing = servers.filter(
    (wanted) =>
      !served.servers.some(
        (each) => each.name === wanted.name && each.address === wanted.address && each.state === "ready",
      ),
  );
  if (missing.length === 0) return;
  throw new IkomaError(
    "EDGE_FAILED",
    `The edge does not serve ${missing.map((each) => each.name).join(", ")} after the switch.`,
  );
}
