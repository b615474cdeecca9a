import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import process from "node:process";
import { parseDocument, stringify } from "yaml";
import * as z from "zod";
import type { HostWay } from "../../../src/core/config/schema.ts";
import { runChecked } from "../../lab/run-command.ts";
import type { TinyWebImage } from "../fixture/index.ts";
import { readApplied, readDrift, readFailure, readPlanned, readRolledBack } from "./command-results.ts";
import type { Applied, DriftFound, Failure, Planned, RolledBack } from "./command-results.ts";
import { checkout } from "../fixture/build.ts";
import type { InstalledCommands } from "./installed-commands.ts";
import { RunningCommand, type EndedCommand } from "./running-command.ts";

/** The environment that the tests deploy to. */
export const stackName = "prod";
const hostName = "vps1";

const registry = "10.77.0.1:5000";
const passphrase = "correct horse battery staple";

const checkpoint = z.object({
  checkpoint: z.object({ latest: z.object({ resources: z.array(z.object({ urn: z.string() })) }) }),
});

/** What a project is made from. */
export interface ProjectOptions {
  /** Name of the app; its domain is `<name>.test`. */
  readonly name: string;
  /** Folder that it is made in. */
  readonly parent: string;
  readonly commands: InstalledCommands;
  readonly host: HostWay;
  readonly compose: string;
  /** More settings of the app in the stack's file. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** More variables of the developer's shell. */
  readonly shellVariables?: Readonly<Record<string, string>>;
}

/** An app's repository on a developer's machine: compose file, Pulumi project, one stack, state in a folder. */
export class AppProject {
  readonly name: string;
  readonly folder: string;
  readonly stackFile: string;
  readonly stateFolder: string;
  readonly #home: string;
  /** A repository of its own: others have an app of the same name, and what they tag or sign must not show here. */
  readonly #bundles: string;
  readonly #commands: InstalledCommands;
  readonly #shellVariables: Readonly<Record<string, string>>;

  private constructor({ name, parent, commands, shellVariables = {} }: ProjectOptions) {
    this.name = name;
    this.folder = join(parent, name);
    this.stackFile = join(this.folder, `Pulumi.${stackName}.yaml`);
    this.stateFolder = join(this.folder, "state");
    this.#home = join(parent, "home");
    this.#bundles = `${registry}/${basename(parent).toLowerCase()}/${name}-bundle`;
    this.#commands = commands;
    this.#shellVariables = shellVariables;
  }

  static async create(options: ProjectOptions): Promise<AppProject> {
    const { name, host, compose, settings } = options;
    const project = new AppProject(options);
    await mkdir(project.stateFolder, { recursive: true });
    await mkdir(join(project.#home, "tmp"), { recursive: true });
    const app = { host: hostName, domains: [`${name}.test`], drainSeconds: 2, bake: { seconds: 0 }, ...settings };
    const config = { "ikoma:hosts": { [hostName]: host }, "ikoma:apps": { [name]: app } };
    await writeFile(join(project.folder, "Pulumi.yaml"), projectFile(name, project.stateFolder));
    await writeFile(project.stackFile, stringify({ config }));
    await writeFile(join(project.folder, "compose.yaml"), compose);
    return project;
  }

  /** `ikoma bundle create`, pushed to the registry. Gives the pinned reference. */
  async bundle({ version, reference }: TinyWebImage): Promise<string> {
    const what = ["--app", this.name, "--version", version, "--image", `web=${reference}`];
    const where = ["--push", this.#bundles, "--registry-mirror", `docker.io=http://${registry}`];
    return (await this.ikomaWell("bundle", "create", ...what, ...where)).trim();
  }

  /** `ikoma deploy apply --yes --json`, expected to go well. */
  async apply(...more: readonly string[]): Promise<Applied> {
    return readApplied(await this.startApply(...more).ended);
  }

  /** {@link apply} where nothing should have to change. Gives what was changed all the same, with why. */
  async applyAgain(...more: readonly string[]): Promise<Applied["plan"]> {
    return (await this.apply(...more)).plan.filter(({ operation }) => operation !== "same");
  }

  /** {@link apply}, expected to fail. */
  async applyBadly(...more: readonly string[]): Promise<Failure> {
    return readFailure(await this.startApply(...more).ended);
  }

  startApply(...more: readonly string[]): RunningCommand {
    return this.startIkoma("deploy", "apply", "--yes", "--json", ...more);
  }

  /** `ikoma deploy rollback --yes --json`, expected to go well. */
  async rollBack(...more: readonly string[]): Promise<RolledBack> {
    return readRolledBack(await this.ikoma("deploy", "rollback", "--yes", "--json", ...more));
  }

  /** `ikoma deploy plan --json`, expected to go well. */
  async plan(...more: readonly string[]): Promise<Planned> {
    return readPlanned(await this.ikoma("deploy", "plan", "--json", ...more));
  }

  /** `ikoma drift --json`, whatever it finds. */
  async drift(...more: readonly string[]): Promise<DriftFound> {
    return readDrift(await this.ikoma("drift", "--json", ...more));
  }

  /** Any command, in the project's folder. */
  ikoma(...args: readonly string[]): Promise<EndedCommand> {
    return this.startIkoma(...args).ended;
  }

  /** {@link ikoma}, expected to go well. Gives what it printed. */
  async ikomaWell(...args: readonly string[]): Promise<string> {
    return printedBy(`ikoma ${args.join(" ")}`, await this.ikoma(...args));
  }

  startIkoma(...args: readonly string[]): RunningCommand {
    return this.startIkomaWith({}, ...args);
  }

  /** With more variables than the shell has. */
  startIkomaWith(variables: Readonly<Record<string, string>>, ...args: readonly string[]): RunningCommand {
    const file = join(this.#commands.cli, "ikoma");
    const env = { ...this.environment(this.#commands.cli), ...variables };
    return new RunningCommand({ file, args, cwd: this.folder, env });
  }

  /** {@link pulumi}, expected to go well. Gives what it printed. */
  async pulumiWell(...args: readonly string[]): Promise<string> {
    return printedBy(`pulumi ${args.join(" ")}`, await this.pulumi(...args));
  }

  /** {@link pulumi}, expected to fail. Gives what it printed, errors included. */
  async pulumiBadly(...args: readonly string[]): Promise<string> {
    const ended = await this.pulumi(...args);
    if (ended.code !== undefined && ended.code > 0) return ended.stdout + ended.stderr;
    throw new Error(`pulumi ${args.join(" ")}: exit code ${ended.code ?? "none"}\n${ended.stdout}${ended.stderr}`);
  }

  /** Plain `pulumi`, in a shell that has the provider's plugin on its PATH and nothing else of this project's. */
  private pulumi(...args: readonly string[]): Promise<EndedCommand> {
    const env = this.environment(this.#commands.plugin);
    const more = ["--stack", stackName, "--non-interactive", "--color", "never"];
    return new RunningCommand({ file: "pulumi", args: [...args, ...more], cwd: this.folder, env }).ended;
  }

  /** A line for a shell, as a person copies it from a message. */
  shell(line: string): Promise<EndedCommand> {
    const env = this.environment(this.#commands.cli);
    return new RunningCommand({ file: "bash", args: ["-c", line], cwd: this.folder, env }).ended;
  }

  /** {@link shell}, expected to go well. Gives what it printed. */
  async shellWell(text: string): Promise<string> {
    return printedBy(text, await this.shell(text));
  }

  /** `pulumi stack init` and `pulumi config set --secret`. */
  async setSecret(variable: string, value: string): Promise<void> {
    const path = `ikoma:secrets.${this.name}.${variable}`;
    const env = this.environment(this.#commands.cli);
    const init = ["-C", this.folder, "stack", "select", "--create", stackName, "--non-interactive"];
    await runChecked("pulumi", init, { env });
    const set = [
      "-C",
      this.folder,
      "config",
      "set",
      "--stack",
      stackName,
      "--secret",
      "--path",
      path,
      "--non-interactive",
    ];
    await runChecked("pulumi", set, { env, stdin: value });
  }

  /** What `docker login` leaves in the developer's home. */
  async logIn(registry: string, user: string, password: string): Promise<void> {
    const auth = Buffer.from(`${user}:${password}`).toString("base64");
    await mkdir(join(this.#home, ".docker"), { recursive: true });
    await writeFile(join(this.#home, ".docker/config.json"), JSON.stringify({ auths: { [registry]: { auth } } }));
  }

  /** Changes a setting of the app in the stack's file, as by an editor; undefined takes it out. */
  async configure(path: readonly string[], value: unknown): Promise<void> {
    const document = parseDocument(await this.stackText());
    const full = ["config", "ikoma:apps", this.name, ...path];
    if (value === undefined) document.deleteIn(full);
    else document.setIn(full, document.createNode(value));
    await writeFile(this.stackFile, document.toString());
  }

  /** From now on the app's host is reached in this way. */
  async reachHost(way: HostWay): Promise<void> {
    const document = parseDocument(await this.stackText());
    document.setIn(["config", "ikoma:hosts", hostName], document.createNode(way));
    await writeFile(this.stackFile, document.toString());
  }

  /** A setting of the app as the stack's file has it. */
  async setting(...path: readonly string[]): Promise<unknown> {
    const found: unknown = parseDocument(await this.stackText()).toJS();
    return ["config", "ikoma:apps", this.name, ...path].reduce(valueAt, found);
  }

  /** Replaces the stack's file, as by an editor. */
  async write(text: string): Promise<void> {
    await writeFile(this.stackFile, text);
  }

  stackText(): Promise<string> {
    return readFile(this.stackFile, "utf8");
  }

  /** The stack's state, as the backend keeps it. */
  stateText(): Promise<string> {
    return readFile(join(this.stateFolder, ".pulumi", "stacks", this.name, `${stackName}.json`), "utf8");
  }

  /** URNs of the state's resources, sorted: the engine keeps them in the order in which they were registered. */
  async resources(): Promise<string[]> {
    const { latest } = checkpoint.parse(JSON.parse(await this.stateText())).checkpoint;
    return latest.resources.map(({ urn }) => urn).sort();
  }

  /** Everything that the backend keeps: state, backups, history. */
  async allState(): Promise<string> {
    const files = await readdir(this.stateFolder, { recursive: true, withFileTypes: true });
    const texts = files
      .filter((each) => each.isFile())
      .map((each) => readFile(join(each.parentPath, each.name), "utf8"));
    return (await Promise.all(texts)).join("\n");
  }

  /** Lock files of the stack. */
  async locks(): Promise<string[]> {
    const folder = join(this.stateFolder, ".pulumi", "locks", "organization", this.name, stackName);
    const names = await readdir(folder).catch(() => []);
    return names.filter((name) => name.endsWith(".json"));
  }

  /** Empties the cache of bundles: from now on each is read where its reference says. */
  async forgetBundles(): Promise<void> {
    await rm(join(this.#home, ".cache/ikoma/bundles"), { recursive: true, force: true });
  }

  /** A clean shell: nothing of the one that runs the tests but where programs are. */
  environment(...commands: readonly string[]): Record<string, string> {
    return {
      ...this.#shellVariables,
      HOME: this.#home,
      LANG: "C.UTF-8",
      // A command that is killed leaves its temporary files: here they go with the project.
      TMPDIR: join(this.#home, "tmp"),
      PATH: [...commands, process.env["PATH"] ?? ""].join(":"),
      PULUMI_CONFIG_PASSPHRASE: passphrase,
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
  }
}

function projectFile(name: string, stateFolder: string): string {
  return `name: ${name}
runtime:
  name: nodejs
  options: { typescript: false }
main: ${join(checkout, "stacks/index.ts")}
backend: { url: "file://${stateFolder}" }
`;
}

function valueAt(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

/** @throws Error with all that a command said, if it went badly */
function printedBy(command: string, { code, stdout, stderr }: EndedCommand): string {
  if (code === 0) return stdout;
  throw new Error(`${command}: exit code ${code ?? "none"}\n${stdout}${stderr}`);
}
