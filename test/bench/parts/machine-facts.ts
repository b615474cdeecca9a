import { cpus, loadavg, totalmem } from "node:os";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { runChecked, runCommand } from "../../lab/run-command.ts";
import { idleDuring } from "../../load/idle-share.ts";
import type { BenchmarkReport } from "../report/benchmark-report.ts";

type Machine = BenchmarkReport["machine"];

const lookMs = 1_000;

/** What the machine is and does before anything is measured; no names, no paths. */
export async function machineAtStart(): Promise<Omit<Machine, "loadAtEnd" | "versions">> {
  const loadAtStart = loadAverages();
  const idleAtStart = await idleDuring(() => delay(lookMs));
  return {
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadAtStart,
    idleAtStart: Math.round(idleAtStart * 100) / 100,
  };
}

/** Over 1, 5 and 15 minutes. */
export function loadAverages(): Machine["loadAtStart"] {
  const [one = 0, five = 0, fifteen = 0] = loadavg().map((each) => Math.round(each * 10) / 10);
  return [one, five, fifteen];
}

/** Versions of what takes part; `exec` runs a shell command on the measured machine, where there is one. */
export async function versionsOf(
  exec: ((command: string) => Promise<{ stdout: string }>) | undefined,
): Promise<Record<string, string>> {
  const there: Readonly<Record<string, string>> = {
    "docker engine": "docker version --format '{{.Server.Version}}'",
    "docker compose": "docker compose version --short",
    haproxy: "docker exec ikoma-edge haproxy -v | grep -o '[0-9][0-9.]*' | head -n 1",
  };
  const versions: Record<string, string> = { node: process.versions.node };
  const { stdout } = await runCommand("pulumi", ["version"]);
  if (stdout !== "") versions["pulumi"] = stdout.trim().replace(/^v/, "");
  for (const [name, command] of Object.entries(exec === undefined ? {} : there)) {
    versions[name] = ((await exec?.(command))?.stdout ?? "").trim() || "unknown";
  }
  return versions;
}

/** The commit that is measured, with a `+` where the checkout differs from it. */
export async function measuredCommit(folder: string): Promise<string> {
  const git = (...args: readonly string[]): Promise<string> => runChecked("git", ["-C", folder, ...args]);
  const commit = (await git("rev-parse", "--short=10", "HEAD")).trim();
  return (await git("status", "--porcelain", "--untracked-files=no")).trim() === "" ? commit : `${commit}+`;
}
