import type { Deployment } from "../../../agent/protocol/views.ts";
import type { Colors } from "../../output/colors.ts";
import { formatDuration, formatMoment, shortDigest } from "../../output/quantities.ts";
import { renderTable } from "../../output/table.ts";

/** A note may hold a whole error page. */
const noteColumns = 70;

/** The ledger as a table, in the order given. */
export function renderHistory(deployments: readonly Deployment[], colors: Colors): string {
  if (deployments.length === 0) return "Nothing was deployed yet.\n";
  return renderTable(
    [
      { title: "#", align: "right", value: ({ number }) => String(number) },
      { title: "version", value: ({ version }) => version },
      { title: "status", value: (each) => statusOf(each, colors) },
      { title: "bundle", value: ({ bundle }) => shortDigest(bundle) },
      { title: "started", value: ({ startedAtMs }) => formatMoment(startedAtMs) },
      { title: "took", align: "right", value: took },
      { title: "by", value: ({ by }) => by },
      { title: "note", value: ({ note, withdrawn }) => shortened(withdrawn ?? note ?? "") },
    ],
    deployments,
  );
}

/** The whole of it is in the JSON. */
function shortened(note: string): string {
  const line = note.replaceAll("\n", " ");
  return line.length > noteColumns ? `${line.slice(0, noteColumns - 1)}…` : line;
}

function took({ startedAtMs, endedAtMs }: Deployment): string {
  return endedAtMs === undefined ? "" : formatDuration(endedAtMs - startedAtMs);
}

/** What came to serve once and must not come back by itself says so. */
function statusOf({ status, withdrawn }: Deployment, colors: Colors): string {
  return colored(status, colors) + (withdrawn === undefined ? "" : colors.yellow(", withdrawn"));
}

function colored(status: Deployment["status"], colors: Colors): string {
  switch (status) {
    case "current":
      return colors.green(status);
    case "failed":
      return colors.red(status);
    case "started":
      return colors.yellow(status);
    case "good":
      return status;
    case "pruned":
      return colors.dim(status);
  }
}
