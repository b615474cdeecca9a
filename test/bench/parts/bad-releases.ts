import { pushTinyWeb } from "../../e2e/fixture/tiny-web.ts";
import { LoadProcess } from "../../load/load-process.ts";
import type { Spread } from "../report/benchmark-report.ts";
import { spreadOf } from "../report/spread.ts";
import type { BenchStand } from "./bench-stand.ts";

const failedCode = 10;
/** Longer than it takes to go bad. */
const bakeSeconds = 30;

/**
 * From the exit of a container that crashes at its start to the end of the command that tells of it: old release as it
 * was, new one removed, cause printed.
 */
export async function timeCrashes(stand: BenchStand, runs: number): Promise<Spread> {
  const bundle = await stand.bundle(await pushTinyWeb("crashing", { CRASH_AT_START_CODE: "3" }));
  const samples: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const startedAtMs = Date.now();
    await stand.deploy(bundle, failedCode);
    samples.push(Date.now() - (await firstExitAtMs(stand, startedAtMs)));
  }
  return spreadOf(samples);
}

/** From the verdict on a release that goes bad with its visitors until the one before serves again, by the host's clock. */
export async function timeSwitchBack(stand: BenchStand, runs: number): Promise<Spread> {
  const bundle = await stand.bundle(await pushTinyWeb("worn", { FAIL_AFTER_REQUESTS: "60" }));
  await stand.setBake({ seconds: bakeSeconds });
  const stream = { url: stand.url, host: stand.domain, ratePerSecond: 100, mode: "keep-alive" } as const;
  const samples: number[] = [];
  try {
    for (let run = 0; run < runs; run += 1) {
      await using load = await LoadProcess.start([stream]);
      const { stderr } = await stand.deploy(bundle, failedCode);
      const found = /serves again, (\d+) ms after the verdict/.exec(stderr)?.[1];
      if (found === undefined)
        throw new Error(`the deploy does not say when the release before served again:\n${stderr}`);
      samples.push(Number(found));
      await load.stop();
    }
  } finally {
    await stand.setBake({ seconds: 0 });
  }
  return spreadOf(samples);
}

/** The engine's own word; machine and commands have one clock here. */
async function firstExitAtMs(stand: BenchStand, sinceMs: number): Promise<number> {
  const span = `--since ${sinceMs / 1000} --until ${Date.now() / 1000}`;
  const { stdout } = await stand.host.vps.exec(`docker events ${span} --filter event=die --format '{{.TimeNano}}'`);
  const [first = ""] = stdout.trim().split("\n");
  if (first === "") throw new Error("no container exited");
  return Number(first) / 1e6;
}
