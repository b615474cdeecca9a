import { setTimeout as delay } from "node:timers/promises";
import type { Vps } from "../lab/index.ts";
import { idleDuring } from "../load/idle-share.ts";
import { LoadProcess } from "../load/load-process.ts";

/** Requests a second. */
export interface LoadRates {
  /** GETs over open connections. */
  readonly keptAlive: number;
  /** GETs, each on a connection of its own. */
  readonly newConnections: number;
  /** POSTs, answered when PostgreSQL has committed the order. */
  readonly orders: number;
}

const fullRates: LoadRates = { keptAlive: 200, newConnections: 200, orders: 50 };

const shares = [1, 0.5, 0.25];
/** Taken untried: with less there is hardly a request in a switch. */
const lowestShare = 0.1;

const trialMs = 2_000;
/** Without any load, to see whether others leave room for one. */
const lookMs = 1_000;
/** An app that is asked for more than the machine can do answers late long before it fails. */
const steadyLatencyMs = 250;
/** Of all processors: what a deploy beside the load needs at least. */
const idleShare = 0.25;

/** Starts the load on a shop at `http://ADDRESS[:PORT]`. Nothing in it is tried twice. */
export function startLoad(baseUrl: string, { keptAlive, newConnections, orders }: LoadRates): Promise<LoadProcess> {
  const version = `${baseUrl}/api/version`;
  return LoadProcess.start([
    { name: "kept-alive", url: version, ratePerSecond: keptAlive, mode: "keep-alive" },
    { name: "new-connections", url: version, ratePerSecond: newConnections, mode: "new-connections" },
    { name: "orders", url: `${baseUrl}/api/orders`, ratePerSecond: orders, mode: "post" },
  ]);
}

/**
 * The highest rates that this machine carries while nothing is deployed; else the lowest. The load, the server and
 * the deploying side share its processors here, and a load that is too much by itself would show nothing but that.
 */
export async function findRates(baseUrl: string, signal: AbortSignal): Promise<LoadRates> {
  if ((await idleDuring(() => delay(lookMs, undefined, { signal }))) < idleShare) return scaled(lowestShare);
  for (const share of shares) {
    if (await carries(baseUrl, scaled(share), signal)) return scaled(share);
  }
  return scaled(lowestShare);
}

/** Whether these are less than what is meant to be sent. */
export function areReduced({ keptAlive }: LoadRates): boolean {
  return keptAlive < fullRates.keptAlive;
}

function scaled(share: number): LoadRates {
  const { keptAlive, newConnections, orders } = fullRates;
  return { keptAlive: keptAlive * share, newConnections: newConnections * share, orders: orders * share };
}

async function carries(baseUrl: string, rates: LoadRates, signal: AbortSignal): Promise<boolean> {
  await using load = await startLoad(baseUrl, rates);
  const idle = await idleDuring(() => delay(trialMs, undefined, { signal }));
  const { streams } = await load.stop();
  return idle >= idleShare && streams.every(({ failed, latencyMs }) => failed === 0 && latencyMs.p99 < steadyLatencyMs);
}

/** The ids of all orders in the shop's database on the server. */
export async function readStoredOrders(vps: Vps): Promise<string[]> {
  const find = "docker ps --quiet --filter label=dev.ikoma.app=shop --filter label=dev.ikoma.part=accessories";
  const select = "psql --username shop --dbname shop --tuples-only --no-align --command 'SELECT id FROM orders'";
  const { code, stdout, stderr } = await vps.exec(`docker exec "$(${find})" ${select}`);
  if (code !== 0) throw new Error(`the orders could not be read from the database:\n${stderr}`);
  return stdout.split("\n").filter((line) => line !== "");
}
