import { access, constants, mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import * as z from "zod";
import { runChecked, runCommand } from "../../lab/run-command.ts";
import type { BenchLoad } from "../report/benchmark-report.ts";

/** The module that it is built from, with Go: `go install github.com/tsenart/vegeta/v12@latest`. */
const module = "github.com/tsenart/vegeta/v12";

const vegetaReport = z.object({
  requests: z.number(),
  status_codes: z.record(z.string(), z.number()),
  /** Nanoseconds. */
  latencies: z.object({ "50th": z.number(), "99th": z.number() }),
});

/** What vegeta reports of an attack. */
export interface VegetaResult {
  readonly sent: number;
  /** Neither 2xx nor 3xx. */
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The load generator that ours is held against, where there is one. */
export interface Vegeta {
  readonly version: string;
  attack(url: string, load: BenchLoad, durationMs: number): Promise<VegetaResult>;
}

/** `VEGETA_BIN`, or the one among the project's tools; undefined where there is none. */
export async function findVegeta(): Promise<Vegeta | undefined> {
  const cache = process.env["IKOMA_CACHE"] ?? join(homedir(), ".cache", "ikoma");
  const file = process.env["VEGETA_BIN"] ?? join(cache, "tools", "vegeta");
  const isThere = await access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  return { version: await versionOf(file), attack: (url, load, durationMs) => attack(file, url, load, durationMs) };
}

/** One that `go install` made does not know its version; Go reads it from the file. */
async function versionOf(file: string): Promise<string> {
  const own = /^Version: *(\S+)/m.exec(await runChecked(file, ["-version"]))?.[1];
  if (own !== undefined) return own;
  const { stdout } = await runCommand("go", ["version", "-m", file]).catch(() => ({ stdout: "" }));
  return new RegExp(`${module}\\s+(v\\S+)`).exec(stdout)?.[1] ?? "of unknown version";
}

async function attack(file: string, url: string, load: BenchLoad, durationMs: number): Promise<VegetaResult> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-vegeta-"));
  try {
    const results = join(folder, "results.bin");
    const keepAlive = `-keepalive=${String(load.mode === "keep-alive")}`;
    const how = [`-rate=${load.ratePerSecond}`, `-duration=${durationMs}ms`, keepAlive, "-redirects=-1"];
    await runChecked(file, ["attack", ...how, `-output=${results}`], { stdin: `GET ${url}\n` });
    const text = await runChecked(file, ["report", "-type=json", results]);
    const { requests, status_codes: codes, latencies } = vegetaReport.parse(JSON.parse(text));
    const good = Object.entries(codes).filter(([code]) => code.startsWith("2") || code.startsWith("3"));
    return {
      sent: requests,
      failed: requests - good.reduce((sum, [, count]) => sum + count, 0),
      p50Ms: latencies["50th"] / 1e6,
      p99Ms: latencies["99th"] / 1e6,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
