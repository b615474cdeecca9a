import { appName } from "../release/release-spec.ts";

/** What a new project is made for. */
export interface ProjectPlan {
  /** Name of the app, and of the Pulumi project. */
  readonly app: string;
  /** Where the state is kept, as Pulumi writes it. */
  readonly backendUrl: string;
}

/** An environment that a new project begins with, and the host that its app is on there. */
interface NewEnvironment {
  readonly stack: string;
  readonly host: string;
}

/** The two environments that nearly everybody has; each on a host of its own, for an app has one place on a host. */
export const newEnvironments: readonly NewEnvironment[] = [
  { stack: "prod", host: "vps1" },
  { stack: "preprod", host: "staging1" },
];

/** A name for an app, made from a folder's; undefined where nothing of it can be used. */
export function appNameOf(folderName: string): string | undefined {
  const name = folderName
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 40)
    .replace(/-+$/, "");
  return appName.safeParse(name).success ? name : undefined;
}

/** The files of a new project by name, to be committed. */
export function projectFiles({ app, backendUrl }: ProjectPlan): Record<string, string> {
  const environments = newEnvironments.map(
    ({ stack, host }) => [`Pulumi.${stack}.yaml`, stackFile(app, stack, host)] as const,
  );
  return { "Pulumi.yaml": projectFile(app, backendUrl), ...Object.fromEntries<string>(environments) };
}

function projectFile(app: string, backendUrl: string): string {
  return `name: ${app}
# The program, for plain \`pulumi\`: \`ikoma init\` links it on each machine. The command \`ikoma\` does without.
main: ${programPath}
runtime:
  name: nodejs
  options:
    typescript: false
# Where the state is kept. For a team or CI use a store that all can reach (s3://…, azblob://…, gs://…, postgres://…),
# here or in PULUMI_BACKEND_URL.
backend:
  url: ${backendUrl}
`;
}

function stackFile(app: string, stack: string, host: string): string {
  return `# The environment "${stack}". \`ikoma deploy apply -s ${stack} --bundle REF\` deploys, and writes the pin here.
config:
  ikoma:apps:
    ${app}:
      # As it was named with \`ikoma host trust ${host} ADDRESS -s ${stack}\`.
      host: ${host}
      # Host names that it is found under, such as [${app}.example.com]; none means every one.
      domains: []
      # Values for the variables of the compose file. Secret ones are encrypted instead:
      #   pulumi config set --stack ${stack} --secret --path 'ikoma:secrets.${app}.NAME'
      env: {}
`;
}

/**
 * What brings a new project's app to its first server, as shell commands. ADDRESS and REGISTRY are the reader's own;
 * `web` is the usual name of the service that is built.
 *
 * @param isLovable whether the folder is a project that is built without a Dockerfile
 */
export function firstDeploy(app: string, isLovable = false): string[] {
  return newEnvironments
    .slice(0, 1)
    .flatMap(({ stack, host }) => [
      `ikoma host trust ${host} ADDRESS -s ${stack}`,
      `ikoma host bootstrap ${host} --install`,
      isLovable
        ? `ikoma project build --push -t REGISTRY/${app}:v1 --values values.env`
        : `docker buildx build --push --tag REGISTRY/${app}:v1 .`,
      `ikoma bundle create --app ${app} --version v1 --image web=REGISTRY/${app}:v1 --push REGISTRY/${app}-bundle`,
      `ikoma deploy apply -s ${stack} --bundle REGISTRY/${app}-bundle:v1`,
    ]);
}

/** Where plain `pulumi` finds the program, from the project's folder. */
export const programPath = ".ikoma/program.js";

/** What is made anew on each machine, beside the link to the SDK, and not committed. */
export function linkFiles(programFile: string): Record<string, string> {
  return {
    ".gitignore": "*\n",
    "package.json": `${JSON.stringify({ private: true, type: "module" })}\n`,
    "program.js": `export { default } from ${JSON.stringify(programFile)};\n`,
  };
}
