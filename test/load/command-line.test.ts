import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { parseCommandLine } from "./command-line.ts";
import { answerAs, startFaultyServer } from "./faulty-server.ts";
import { loadReportSchema } from "./stream-report.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const BASE = ["--url", "http://127.0.0.1:1/", "--rate", "200", "--mode", "post"];

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["1.5m", 90_000],
])("a duration of %s is %d ms", (text, durationMs) => {
  expect(parseCommandLine([...BASE, "--duration", text]).stream).toMatchObject({ ratePerSecond: 200, durationMs });
});

test("until a signal means at most the limit", () => {
  expect(parseCommandLine([...BASE, "--until-signal"]).stream.durationMs).toBe(600_000);
});

test.each([
  ["neither an end nor a signal", BASE],
  ["both an end and a signal", [...BASE, "--duration", "1s", "--until-signal"]],
  ["a duration without a unit", [...BASE, "--duration", "30"]],
  ["an hour", [...BASE, "--duration", "60m"]],
  ["an unknown flag", [...BASE, "--duration", "1s", "--retry"]],
  ["no URL", ["--rate", "1", "--mode", "post", "--duration", "1s"]],
])("refuses %s", (_what, args) => {
  expect(() => parseCommandLine(args)).toThrow();
});

test("a signal ends the run and the report is written all the same", async () => {
  const folder = await mkdtemp(join(tmpdir(), "load-"));
  try {
    await using server = await startFaultyServer(answerAs("v1"));
    const out = join(folder, "report.json");
    const args = ["--url", server.url, "--rate", "50", "--mode", "new-connections", "--until-signal", "--out", out];
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: "inherit" });
    const exited = once(child, "exit");
    await server.reached(5);
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    const [stream] = loadReportSchema.parse(JSON.parse(await readFile(out, "utf8"))).streams;
    expect(stream?.sent).toBeGreaterThanOrEqual(5);
    expect(stream?.failed).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});
