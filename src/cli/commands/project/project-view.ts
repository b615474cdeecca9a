import type { LovableProject, SourceVariable } from "../../../core/project/lovable/lovable-project.ts";

const generations = {
  1: "Lovable, generation 1: a single-page app, served as static files",
  2: "Lovable, generation 2: TanStack Start, run by Node.js",
} as const;

/** A recognised project as JSON; no value of any `.env` is in it. */
export function projectView(project: LovableProject): Record<string, unknown> {
  const { ownFiles, folder, generation, reasons, shape, shapeReason, pinnedPreset, install, notes } = project;
  const { nodeMajor, buildVariables, runVariables, environmentFiles, sourceHosts, supabase, nested } = project;
  return {
    ...{ folder, generation, reasons, shape, shapeReason, install, nodeMajor },
    ...(pinnedPreset === undefined ? {} : { pinnedPreset }),
    ...{ buildVariables, runVariables, environmentFiles, sourceHosts, supabase, nested },
    ...{ hasDockerfile: ownFiles.dockerfile !== undefined, notes },
  };
}

/** The same for people. */
export function projectText(project: LovableProject): string {
  const { generation, reasons, shape, shapeReason, install, nodeMajor, nodeReason, ownFiles } = project;
  return [
    `${generations[generation]} (${reasons.join(", ")})`,
    ...(ownFiles.dockerfile !== undefined ? ["image     its own Dockerfile"] : []),
    `install   ${install.tool}, ${install.reason}`,
    `node      ${nodeMajor}, ${nodeReason}`,
    ...(generation === 2 ? [`build     ${shape}, as ${shapeReason}`] : []),
    ...variables("at the build, public", project.buildVariables),
    ...variables("while it runs", project.runVariables),
    ...project.notes.flatMap(({ level, text }) => ["", `${level === "warning" ? "warning: " : ""}${text}`]),
  ].join("\n");
}

function variables(when: string, list: readonly SourceVariable[]): string[] {
  if (list.length === 0) return [];
  const width = Math.max(...list.map(({ name }) => name.length));
  const line = ({ name, file, hasFallback }: SourceVariable): string => {
    return `  ${name.padEnd(width)}  ${file}${hasFallback ? ", which does without" : ""}`;
  };
  return ["", `Variables that it reads ${when}:`, ...list.map(line)];
}
