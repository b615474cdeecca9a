import { IkomaError } from "../../errors.ts";
import { imagePorts } from "./dockerfile.ts";
import type { LovableProject } from "./lovable-project.ts";
import { readDockerfile } from "./own-dockerfile.ts";

type Facts = Pick<LovableProject, "generation" | "ownFiles" | "runVariables">;

/**
 * The compose file of a recognised project: one web service, its port and its health. What the server of generation
 * 2 reads from its environment is asked for there: it must be given, and may be empty.
 *
 * @throws PROJECT_UNSUPPORTED where a Dockerfile of its own does not say the port
 */
export function projectCompose(project: Facts): string {
  const { runVariables } = project;
  const port = portOf(project);
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

function portOf({ generation, ownFiles }: Facts): number {
  if (ownFiles.dockerfile === undefined) return imagePorts[generation];
  const [port, ...others] = readDockerfile(ownFiles.dockerfile).ports;
  if (port !== undefined && others.length === 0) return port;
  throw new IkomaError("PROJECT_UNSUPPORTED", "The port of the project's own Dockerfile is not known.", {
    hint: "Write a compose.yaml; or have the Dockerfile say its one port: `EXPOSE 8080`.",
  });
}
