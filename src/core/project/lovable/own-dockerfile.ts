/** What is read of a Dockerfile that a project brings. */
export interface OwnDockerfile {
  /** Build arguments that one of its stages takes; one above the first `FROM` reaches no command. */
  readonly args: ReadonlySet<string>;
  /** Variables that it sets itself. */
  readonly env: ReadonlySet<string>;
  /** Ports that it names, each once; undefined for one that only the build knows. */
  readonly ports: readonly (number | undefined)[];
}

/** Reads a Dockerfile's text as far as {@link OwnDockerfile} says. */
export function readDockerfile(text: string): OwnDockerfile {
  const lines = text
    .replaceAll(/^\s*#.*(\r?\n|$)/gm, "")
    .replaceAll(/\\[ \t]*\r?\n/g, " ")
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const stages = lines.slice(
    Math.max(
      0,
      lines.findIndex(([word]) => isInstruction(word, "FROM")),
    ),
  );
  const words = (name: string): string[] =>
    stages.filter(([word]) => isInstruction(word, name)).flatMap(([, ...rest]) => rest);
  return {
    args: new Set(words("ARG").map(nameOf)),
    env: new Set(words("ENV").map(nameOf)),
    ports: [...new Set(words("EXPOSE").map(portOf))],
  };
}

function isInstruction(word: string | undefined, name: string): boolean {
  return word?.toUpperCase() === name;
}

function nameOf(word: string): string {
  return word.replace(/=.*/s, "");
}

function portOf(word: string): number | undefined {
  const port = /^(\d+)(\/tcp)?$/i.exec(word)?.[1];
  return port === undefined ? undefined : Number(port);
}
