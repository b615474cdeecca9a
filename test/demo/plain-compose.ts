import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Vps } from "../lab/index.ts";
import { waitUntil } from "../lab/wait-until.ts";
import type { LoadReport } from "../load/stream-report.ts";
import { shopFolder } from "./shop-images.ts";
import { startLoad, type LoadRates } from "./shop-load.ts";

const folder = "/root/plain-compose";
/** The one that the shop's own compose file publishes. */
const port = 3000;
const aloneMs = 1_000;

/** A replacement by `docker compose up -d`, and what the load saw of it. */
export interface PlainReplacement {
  readonly durationMs: number;
  /** When it began, in milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly report: LoadReport;
}

/** What is replaced: images by digest, the database's password. */
export interface PlainShop {
  readonly vps: Vps;
  readonly before: string;
  readonly after: string;
  readonly databasePassword: string;
  readonly rates: LoadRates;
  readonly signal: AbortSignal;
  /** The server stays: what was started here goes. */
  readonly keep: boolean;
}

/** Runs the shop by plain compose on the same server, and replaces its image while the same load runs. */
export async function replaceByPlainCompose(shop: PlainShop): Promise<PlainReplacement> {
  const { vps, signal, keep } = shop;
  try {
    await writeProject(shop);
    await compose(shop, shop.before);
    const url = `http://${vps.address}:${port}`;
    await waitForVersion(url, "v1", signal);
    await using load = await startLoad(url, shop.rates);
    await delay(aloneMs, undefined, { signal });
    const startedAtMs = await load.mark("replace");
    await compose(shop, shop.after);
    const durationMs = (await load.mark("replaced")) - startedAtMs;
    await waitForVersion(url, "v2", signal);
    await delay(aloneMs, undefined, { signal });
    return { durationMs, startedAtMs, report: await load.stop() };
  } finally {
    if (keep) await vps.exec(`cd ${folder} && docker compose down --volumes --timeout 1; rm -rf ${folder}`);
  }
}

/** The shop's own compose file, and beside it only which image to take. */
async function writeProject({ vps, databasePassword }: PlainShop): Promise<void> {
  const files = {
    "compose.yaml": await readFile(join(shopFolder, "compose.yaml"), "utf8"),
    "compose.override.yaml": "services:\n  web:\n    image: ${SHOP_IMAGE:-none}\n",
    ".env": `POSTGRES_PASSWORD=${databasePassword}\n`,
  };
  await vps.exec(`mkdir -p -m 700 ${folder}`);
  for (const [name, text] of Object.entries(files)) await vps.exec(`cat > ${folder}/${name}`, { stdin: text });
}

async function compose({ vps }: PlainShop, image: string): Promise<void> {
  const up = `cd ${folder} && SHOP_IMAGE='${image}' docker compose up --detach --no-build`;
  const { code, stderr } = await vps.exec(up);
  if (code !== 0) throw new Error(`plain docker compose on the server: exit code ${code}\n${stderr}`);
}

/** Until the shop answers as this version, with its database. */
async function waitForVersion(url: string, version: string, signal: AbortSignal): Promise<void> {
  const answers = async (): Promise<boolean> => {
    signal.throwIfAborted();
    const answer = await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(2_000) });
    await answer.arrayBuffer();
    return answer.ok && answer.headers.get("x-app-version") === version;
  };
  await waitUntil(`${url} answers as ${version}`, answers, { deadlineMs: 60_000, intervalMs: 100 });
}
