import type { HostStatus } from "../../../core/hosts/host-status.ts";
import { describeBackup } from "../backup-status-view.ts";
import { formatMoment } from "../../output/quantities.ts";
import { renderTable } from "../../output/table.ts";

const noticeableSkewMs = 1_000;

/** Hosts as a table, below it the apps of each and what went wrong. */
export function renderHosts(hosts: readonly HostStatus[]): string {
  const table = renderTable<HostStatus>(
    [
      { title: "host", value: (host) => host.name },
      { title: "address", value: (host) => host.address },
      { title: "agent", value: ({ agent }) => agent?.agentVersion ?? "-" },
      { title: "engine", value: ({ agent }) => agent?.engineVersion ?? "-" },
      { title: "compose", value: ({ agent }) => agent?.composeVersion ?? "-" },
      { title: "edge", value: ({ agent }) => agent?.edgeVersion ?? "-" },
      {
        title: "free",
        value: ({ agent }) => (agent === undefined ? "-" : `${(agent.diskFreeBytes / 1024 ** 3).toFixed(1)} GiB`),
        align: "right",
      },
      {
        title: "clock",
        value: ({ agent }) => (agent === undefined ? "-" : renderSkew(agent.clockSkewMs)),
        align: "right",
      },
      { title: "answer", value: ({ agent }) => (agent === undefined ? "-" : `${agent.answerMs} ms`), align: "right" },
    ],
    hosts,
  );
  return [table.trimEnd(), ...hosts.flatMap(renderRest)].join("\n");
}

function renderSkew(skewMs: number): string {
  if (Math.abs(skewMs) < noticeableSkewMs) return "right";
  return `${(Math.abs(skewMs) / 1000).toFixed(0)} s ${skewMs > 0 ? "ahead" : "behind"}`;
}

function renderRest({ name, apps, repairs, error }: HostStatus): string[] {
  if (error !== undefined) return [`${name}: ${error.code} ${error.message}`, `  next: ${error.hint}`];
  const repaired = (repairs ?? []).map(
    ({ atMs, app, message }) => `${app === undefined ? name : `${name}/${app}`}: ${formatMoment(atMs)} ${message}`,
  );
  const running = (apps ?? []).map(({ app, current, operation, rebuilt, backup }) => {
    const runs = current === undefined ? "nothing deployed" : `#${current.number} ${current.version}`;
    const now = operation === undefined ? "" : `; ${operation.kind} under way (${operation.phase}, by ${operation.by})`;
    const note = rebuilt === undefined ? "" : `; ${rebuilt}`;
    const saved = backup === undefined ? "" : `; ${describeBackup(backup, Date.now())}`;
    return `${name}/${app}: ${runs}${now}${note}${saved}`;
  });
  return [...running, ...repaired];
}
