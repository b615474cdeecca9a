import type { Colors } from "../output/colors.ts";
import { shortReference } from "../output/quantities.ts";
import { renderTable } from "../output/table.ts";

/** A service, as exports and hosts tell it. */
export interface ShownService {
  readonly kind?: string | undefined;
  readonly image?: string | undefined;
  readonly state?: string | undefined;
  readonly healthy?: boolean | undefined;
}

/** Services as indented lines of a table; empty where there are none. */
export function renderServices(services: Readonly<Record<string, ShownService>>, colors: Colors): string[] {
  const rows = Object.entries(services).sort(([a], [b]) => (a < b ? -1 : 1));
  if (rows.length === 0) return [];
  const table = renderTable(
    [
      { title: "service", value: ([name]) => name },
      { title: "kind", value: ([, { kind }]) => kind ?? "" },
      { title: "state", value: ([, service]) => condition(service, colors) },
      { title: "image", value: ([, { image }]) => (image === undefined ? "" : shortReference(image)) },
    ],
    rows,
  );
  return table
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`);
}

function condition({ state, healthy }: ShownService, colors: Colors): string {
  if (state === undefined) return "";
  if (healthy === true) return colors.green(state);
  return healthy === false ? colors.red(state === "running" ? "running, not healthy" : state) : state;
}
