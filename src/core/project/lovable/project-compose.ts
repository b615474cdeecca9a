import type { LovableProject } from "./lovable-project.ts";
import { imagePorts } from "./dockerfile.ts";

/**
 * The compose file of a recognised project: one web service, its port and its health. What the server of generation
 * 2 reads from its environment is asked for there: it must be given, and may be empty.
 */
export function projectCompose({
  generation,
  runVariables,
}: Pick<LovableProject, "generation" | "runVariables">): string {
  const port = imagePorts[generation];
  const needed = runVariables.filter(({ hasFallback }) => !hasFallback);
  const optional = runVariables.filter(({ hasFallback }) => hasFallback);
  return [
    `services:`,
    `  web:`,
    `    build: .`,
    `    ports: ["${port}:${port}"]`,
    ...(needed.length === 0 ? [] : [`    environment:`]),
    ...needed.map(({ name, file }) => `      ${name}: \${${name}?} # read by ${file}`),
    ...optional.map(({ name, file }) => `      # ${name}: \${${name}} # ${file} does without`),
    `x-ikoma:`,
    `  # Until the page answers with 200-399, the release before it serves.`,
    `  health: { path: / }`,
    ``,
  ].join("\n");
}
