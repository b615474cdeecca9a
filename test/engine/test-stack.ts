import { mkdtemp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runStack, type StackRun } from "../../src/core/engine/run-stack.ts";
import type { StackOperation, StackResult } from "../../src/core/engine/engine-run.ts";
import type { Program } from "../../src/core/engine/language-server.ts";
import { fakeHosts, type FakeAgent } from "../doubles/agent.ts";

const project = "engine-test";

/** A stack of its own for one test: a project folder, a state folder, and hosts that are fake agents by address. */
export class TestStack {
  readonly root: string;
  readonly workDir: string;
  readonly stateDir: string;
  readonly agents: Record<string, FakeAgent>;
  readonly passphrase = "correct horse";

  private constructor(root: string, agents: Record<string, FakeAgent>) {
    this.root = root;
    this.workDir = join(root, "project");
    this.stateDir = join(root, "state");
    this.agents = agents;
  }

  static async create(agents: Record<string, FakeAgent>, config = ""): Promise<TestStack> {
    const stack = new TestStack(await mkdtemp(join(tmpdir(), "ikoma-engine-")), agents);
    await mkdir(stack.workDir);
    await mkdir(stack.stateDir);
    await writeFile(join(stack.workDir, "Pulumi.yaml"), `name: ${project}\nruntime: nodejs\n`);
    if (config !== "") await writeFile(stack.configFile, config);
    return stack;
  }

  get configFile(): string {
    return join(this.workDir, "Pulumi.dev.yaml");
  }

  get env(): Record<string, string> {
    return { PULUMI_BACKEND_URL: `file://${this.stateDir}`, PULUMI_CONFIG_PASSPHRASE: this.passphrase };
  }

  run(operation: StackOperation, program: Program, more: Partial<StackRun> = {}): Promise<StackResult> {
    const { workDir, env } = this;
    return runStack({
      workDir,
      env,
      stackName: "dev",
      operation,
      program: () => Promise.resolve(program),
      access: fakeHosts(this.agents),
      ...more,
    });
  }

  preview(program: Program, more?: Partial<StackRun>): Promise<StackResult> {
    return this.run("preview", program, more);
  }

  up(program: Program, more?: Partial<StackRun>): Promise<StackResult> {
    return this.run("up", program, more);
  }

  destroy(): Promise<StackResult> {
    return this.run("destroy", () => Promise.resolve({}));
  }

  /** The stack's state, as the backend keeps it. */
  async stateText(): Promise<string> {
    return readFile(join(this.stateDir, ".pulumi", "stacks", project, "dev.json"), "utf8");
  }

  /** Everything that the backend keeps of the stack: state, backups, history. */
  async allState(): Promise<string> {
    const files = await readdir(this.stateDir, { recursive: true, withFileTypes: true });
    const texts = files
      .filter((file) => file.isFile())
      .map((file) => readFile(join(file.parentPath, file.name), "utf8"));
    return (await Promise.all(texts)).join("\n");
  }

  configText(): Promise<string> {
    return readFile(this.configFile, "utf8");
  }

  async changeConfig(edit: (text: string) => string): Promise<void> {
    await writeFile(this.configFile, edit(await readFile(this.configFile, "utf8")));
  }

  async lockFiles(): Promise<string[]> {
    const folder = join(this.stateDir, ".pulumi", "locks", "organization", project, "dev");
    const names = await readdir(folder).catch(() => []);
    return names.filter((name) => name.endsWith(".json")).map((name) => join(folder, name));
  }

  async remove(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
