import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAgentHost, type AgentHost } from "../fixture/index.ts";
import { AppOnServer } from "./app-on-server.ts";
import { AppProject, type ProjectOptions } from "./app-project.ts";
import { installCommands } from "./installed-commands.ts";

/** A server with agent and edge, and a developer's machine with the commands. */
export interface DeployLab extends AsyncDisposable {
  readonly host: AgentHost;
  /** The installed `ikoma`. */
  readonly command: string;
  /** Temporary, removed with the lab. */
  readonly folder: string;
  /**
   * A project of its own, and the app that it will be on the server. Names must not begin with one another.
   *
   * @param options `name` and `compose`, and whatever is to be unusual
   */
  addProject(options: NewProject): Promise<{ project: AppProject; app: AppOnServer }>;
}

type NewProject = Pick<ProjectOptions, "name" | "compose"> & Partial<ProjectOptions>;

/**
 * Brings up server, registry and commands (about 20 s). Disposing of it removes them.
 *
 * @param name unique among the test files
 */
export async function startDeployLab(name: string): Promise<DeployLab> {
  const folder = await mkdtemp(join(tmpdir(), `ikoma-${name}-`));
  const [host, commands] = await Promise.all([startAgentHost(name), installCommands(folder)]);
  return {
    host,
    folder,
    command: join(commands.cli, "ikoma"),
    addProject: async (options) => {
      const project = await AppProject.create({ parent: folder, commands, host: host.config, ...options });
      return { project, app: new AppOnServer(host, options.name) };
    },
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
