import type { EffectiveSetting, Origin } from "../../../core/config/explain-config.ts";
import type { DeployProject } from "../../../core/project/deploy-project.ts";
import type { Colors } from "../../output/colors.ts";
import { renderTable } from "../../output/table.ts";

/** A value that is not in the stack's file: from the environment, Pulumi.yaml, or chosen. */
export interface Source {
  readonly name: string;
  readonly value: string;
  readonly origin: string;
}

/** What the command found out. */
export interface Explained {
  readonly stack: string;
  readonly sources: readonly Source[];
  readonly settings: readonly EffectiveSetting[];
}

/** Project, stack, state and passphrase, each with where it comes from; of the passphrase only that. */
export function sourcesOf(project: DeployProject, env: NodeJS.ProcessEnv): Source[] {
  const { backendUrl, folder, stackName } = project;
  const fromEnvironment = (name: string): boolean => (env[name] ?? "") !== "";
  const passphrase = ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"].find(fromEnvironment);
  return [
    { name: "folder", value: folder, origin: "--cwd, or this folder" },
    {
      name: "stack",
      value: stackName,
      origin: env.IKOMA_STACK === stackName ? "--stack or IKOMA_STACK" : "--stack, or the only one",
    },
    {
      name: "state",
      value: withoutPassword(backendUrl ?? "not chosen"),
      origin: fromEnvironment("PULUMI_BACKEND_URL") ? "PULUMI_BACKEND_URL" : "Pulumi.yaml, or `pulumi login`",
    },
    { name: "passphrase", value: passphrase === undefined ? "not given" : "[secret]", origin: passphrase ?? "" },
  ];
}

/** A PostgreSQL backend has its login in the address, or its password behind it. */
function withoutPassword(url: string): string {
  return url
    .replace(/(:\/\/[^/?#@:]*):[^/?#]*@/, "$1:[secret]@")
    .replaceAll(/([?&]\w*password=)[^&#]*/gi, "$1[secret]");
}

/** The sources, then the settings: path, value, origin. */
export function renderExplained({ sources, settings }: Explained, colors: Colors): string {
  const rows = [
    ...sources.map(({ name, value, origin }) => ({ path: name, value, from: origin })),
    ...settings.map(({ path, value, origin }) => ({ path, value: shown(value), from: originText(origin) })),
  ];
  return renderTable(
    [
      { title: "setting", value: (row) => row.path },
      { title: "value", value: (row) => row.value },
      { title: "from", value: (row) => colors.dim(row.from) },
    ],
    rows,
  );
}

function originText(origin: Origin): string {
  switch (origin.kind) {
    case "file":
      return `${origin.file}:${origin.line}`;
    case "default":
      return "default";
    case "bundle-or-default":
      return "default, unless the bundle says otherwise";
  }
}

const longestValue = 60;

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= longestValue ? text : `${text.slice(0, longestValue - 1)}…`;
}
