import { migrationKey } from "../../../core/migrations/migration-spec.ts";
import { renderTable } from "../../output/table.ts";
import type { BundleView } from "./bundle-view.ts";

const kindOrder = ["web", "worker", "job", "accessory"];

/** A bundle for people: what a release replaces and why, where requests go, what has to be configured. */
export function bundleText(reference: string, view: BundleView): string {
  const parts = [
    headText(reference, view),
    servicesText(view),
    routesText(view),
    checksText(view),
    variablesText(view),
    migrationsText(view),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function headText(reference: string, { app, version, source }: BundleView): string {
  const origin = [source?.repository, source?.commit].filter((part) => part !== undefined).join(" at ");
  return `${app} ${version}\n${reference}\n${origin === "" ? "" : `Built from ${origin}\n`}`;
}

function servicesText({ services }: BundleView): string {
  const rows = Object.entries(services).map(([name, service]) => ({ name, ...service }));
  const sorted = rows.toSorted((a, b) => kindOrder.indexOf(a.kind) - kindOrder.indexOf(b.kind));
  return renderTable(
    [
      { title: "service", value: ({ name }) => name },
      { title: "kind", value: kindText },
      { title: "image", value: ({ image }) => shortImage(image) },
      { title: "why", value: ({ reason }) => reason },
    ],
    sorted,
  );
}

function kindText({ kind, hook, overlap }: BundleView["services"][string]): string {
  if (hook !== undefined) return `${kind} (${hook.run})`;
  return overlap === false ? `${kind} (never two at once)` : kind;
}

/** Twelve digits tell images apart; `--json` has them all. */
function shortImage(image: string): string {
  return image.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1");
}

function routesText({ routes }: BundleView): string {
  if (routes.length === 0) return "";
  return renderTable(
    [
      { title: "path", value: ({ path }) => path },
      { title: "goes to", value: ({ service, port }) => `${service}:${port}` },
    ],
    routes,
  );
}

function checksText({ smoke, health, migrationCommand: program }: BundleView): string {
  const probe = health === undefined ? [] : [`Health probe: ${health.path} answers ${health.status.join("-")}`];
  const checks = smoke.map(({ path, status, contains }) => {
    const text = contains === undefined ? "" : ` with ${JSON.stringify(contains)}`;
    return `Smoke check: ${path} answers ${status.join("-")}${text}`;
  });
  const migrates = program === undefined ? [] : [`Migrates by: ${program.command.join(" ")} (in ${program.service})`];
  return [...probe, ...checks, ...migrates].map((line) => `${line}\n`).join("");
}

function variablesText({ variables }: BundleView): string {
  if (variables.length === 0) return "";
  return renderTable(
    [
      { title: "variable", value: ({ name }) => name },
      { title: "value", value: ({ required, default: value }) => valueText(required, value) },
    ],
    variables,
  );
}

function migrationsText({ migrations }: BundleView): string {
  if (migrations === undefined || migrations.files.length === 0) return "";
  return renderTable(
    [
      { title: `migration of ${migrations.database ?? "a database elsewhere"}`, value: migrationKey },
      { title: "phase", value: ({ phase }) => phase },
      {
        title: "found",
        value: ({ findings }) => findings.map(({ line, rule }) => `${rule} (line ${line})`).join(", "),
      },
    ],
    migrations.files,
  );
}

function valueText(required: boolean, value: string | undefined): string {
  if (required) return "required";
  return value === undefined ? "empty unless given" : `default ${JSON.stringify(value)}`;
}
