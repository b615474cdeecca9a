import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import type { EdgeServerState } from "./edge.ts";

/** A server of one worker, with what only the driver needs to know. */
export interface RuntimeServer extends EdgeServerState {
  /** Whether health checks run for it. A server added at run time has them off until told. */
  checked: boolean;
  maxConnections: number;
}

/** Commands whose answers {@link parseServers} reads. Neither alone tells both: see there. */
export const serverCommands = { state: "show servers state", stat: "show stat -1 4 -1" } as const;

const adminMaint = 0x01 | 0x02 | 0x04 | 0x20 | 0x40;
const adminDrain = 0x08 | 0x10;
const checkEnabled = 0x04;
const operationalStopped = 0;

const count = z.coerce.number().int();
const stateRow = z.object({
  be_name: z.string(),
  srv_name: z.string(),
  srv_addr: z.string(),
  srv_port: count,
  srv_op_state: count,
  srv_admin_state: count,
  srv_check_state: count,
  srv_uweight: count,
});
const statRow = z.object({ "# pxname": z.string(), svname: z.string(), qcur: count, scur: count, slim: count });

/**
 * All servers of a worker. The administrative state is read from `show servers state`, because `show stat`
 * says DOWN of a draining server that fails its check; connections from `show stat`, which counts requests
 * that still wait for a connection too.
 * @throws IkomaError EDGE_FAILED for answers of another form
 */
export function parseServers(stateAnswer: string, statAnswer: string): RuntimeServer[] {
  const [, header = "", ...lines] = stateAnswer.split("\n");
  const stats = new Map(
    table(statRow, statAnswer.split("\n"), ",").map((row) => [`${row["# pxname"]}/${row.svname}`, row]),
  );
  return table(stateRow, [header.replace(/^# /, ""), ...lines], " ").map((row) => ({
    name: row.srv_name,
    backend: row.be_name,
    address: row.srv_addr,
    port: row.srv_port,
    state: serverState(row.srv_admin_state, row.srv_op_state),
    ...limits(stats.get(`${row.be_name}/${row.srv_name}`)),
    weight: row.srv_uweight,
    checked: (row.srv_check_state & checkEnabled) !== 0,
  }));
}

/** Entries of a map, `show map <path>`: `<id> <key> <value>` a line. */
export function parseMap(answer: string): Map<string, string> {
  const entries = new Map<string, string>();
  for (const line of answer.split("\n")) {
    const [, key, value] = line.split(" ");
    if (key !== undefined && value !== undefined) entries.set(key, value);
  }
  return entries;
}

/** Path under which the process knows one of its maps, from `show map`. The path on disk may be newer. */
export function findMap(answer: string, name: "hosts" | "routes" | "candidates" | "held"): string {
  const path = new RegExp(`\\((\\S*/${name}-[0-9a-f]+\\.map)\\)`).exec(answer)?.[1];
  if (path === undefined)
    throw new IkomaError(
      "EDGE_FAILED",
      `HAProxy runs without the map of ${name}: its configuration is not the agent's.`,
    );
  return path;
}

/** What `show info` says about the process that answers. */
export function parseInfo(answer: string): { pid: number; version: string; base: string; stopping: boolean } {
  const facts = new Map(
    answer.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const info = z
    .object({ Pid: count, Version: z.string(), Stopping: z.string().default("0") })
    .safeParse(Object.fromEntries(facts));
  if (!info.success) throw unexpected("show info", answer);
  const base = (facts.get("description") ?? "").replace(/^ikoma-/, "");
  return { pid: info.data.Pid, version: info.data.Version, base, stopping: info.data.Stopping !== "0" };
}

/** Requests and connections under way from `show sess`, with the server (`<backend>/<server>`) that they are on. */
export function parseSessions(answer: string): { id: string; server: string }[] {
  return [...answer.matchAll(/^(0x[0-9a-f]+): .*?\bbe=(\S+) srv=(\S+)/gm)].map(
    ([, id = "", backend = "", server = ""]) => ({ id, server: `${backend}/${server}` }),
  );
}

/** The master's view of its processes, from `show proc`. */
export interface Processes {
  /** Reloads that failed since the last good one. */
  failedReloads: number;
  workers: number[];
  /** Workers of earlier configurations that finish their connections. */
  oldWorkers: number[];
}

export function parseProcesses(answer: string): Processes {
  const processes: Processes = { failedReloads: 0, workers: [], oldWorkers: [] };
  let section: number[] | undefined;
  for (const line of answer.split("\n")) {
    if (line.startsWith("#"))
      section = line === "# workers" ? processes.workers : line === "# old workers" ? processes.oldWorkers : undefined;
    const [pid, type] = line.split(/\s+/);
    if (type === "master") processes.failedReloads = Number(/\[failed: (\d+)\]/.exec(line)?.[1] ?? 0);
    if (type === "worker" && section !== undefined) section.push(Number(pid));
  }
  if (!/^\d+\s+master\s/m.test(answer)) throw unexpected("show proc", answer);
  return processes;
}

function limits(stat: z.infer<typeof statRow> | undefined): { connections: number; maxConnections: number } {
  return stat === undefined
    ? { connections: 0, maxConnections: 0 }
    : { connections: stat.qcur + stat.scur, maxConnections: stat.slim };
}

function serverState(admin: number, operational: number): EdgeServerState["state"] {
  if ((admin & adminMaint) !== 0) return "maint";
  if ((admin & adminDrain) !== 0) return "drain";
  return operational === operationalStopped ? "down" : "ready";
}

/** Rows under a header line, columns by name (HAProxy appends new columns between versions). */
export function table<T extends z.ZodType>(row: T, lines: string[], separator: string): z.infer<T>[] {
  const [header = "", ...body] = lines;
  const columns = header.split(separator);
  const rows = body
    .filter((line) => line !== "")
    .map((line) =>
      Object.fromEntries(line.split(separator).map((cell, index) => [columns[index] ?? `column ${index}`, cell])),
    );
  const parsed = z.array(row).safeParse(rows);
  if (!parsed.success) throw unexpected("servers", lines.slice(0, 3).join("\n"));
  return parsed.data;
}

function unexpected(what: string, answer: string): IkomaError {
  return new IkomaError("EDGE_FAILED", `HAProxy's answer about ${what} could not be read.`, {
    details: { answer: answer.slice(0, 500) },
  });
}
