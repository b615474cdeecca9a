import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError, toIkomaError } from "../../../core/errors.ts";
import type { Hook, ReleaseSpec } from "../../../core/release/release-spec.ts";
import { labels } from "../../engine/containers.ts";
import type { Container } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host, OperationContext } from "../../host.ts";
import { renderHook } from "../compose-project.ts";
import { inOrder } from "./hook-order.ts";

/** Whose jobs are run. */
interface Hooked {
  app: string;
  number: number;
  spec: ReleaseSpec;
}

type Moment = Hook["run"];

const pollMs = 100;
/** What is shown of a job while it runs, in lines; of a longer output only the end is shown as well. */
const shownLines = 200;
const lastLines = 20;
/** What of a line an error quotes, in characters. */
const quotedLength = 500;

/**
 * Runs the release's jobs of this moment, one after another, each once, in the release's own image and network. They
 * leave no container, however they end.
 *
 * @throws IkomaError HOOK_FAILED at the first that fails or takes too long
 */
export async function runHooks(host: Host, hooked: Hooked, moment: Moment, op: OperationContext): Promise<void> {
  for (const service of inOrder(hooked.spec.services, moment)) {
    op.step("hook", `${moment} ${service}`);
    try {
      await runHook(host, hooked, service, moment, op);
    } finally {
      await removeHooks(host, hooked.app, hooked.number);
    }
  }
}

/** The release serves already: what fails here is told, and undoes nothing. */
export async function runPostHooks(host: Host, hooked: Hooked, op: OperationContext): Promise<void> {
  try {
    await runHooks(host, hooked, "post", op);
  } catch (error) {
    op.warn("hook", `${toIkomaError(error).message} #${hooked.number} serves all the same.`);
  }
}

/** Removes the containers of a deployment's jobs, also of one that a crash of the agent cut off. */
export async function removeHooks(host: Host, app: string, number: number): Promise<void> {
  const found = await host.containers.list(ownLabels(app, "release", number));
  const hooks = found.filter((each) => each.Config.Labels?.[labels.hook] !== undefined);
  await Promise.all(hooks.map((each) => host.containers.stopAndRemove(each.Id)));
}

async function runHook(
  host: Host,
  { app, number, spec }: Hooked,
  service: string,
  moment: Moment,
  op: OperationContext,
): Promise<void> {
  const { timeoutSeconds } = spec.services[service]?.hook ?? { timeoutSeconds: 0 };
  const { subnet = "" } = host.deployments.require(app, number);
  await host.compose.up(renderHook(spec, number, { service, subnet }, host.files), [service], op.signal);
  const [container] = (await host.containers.list(ownLabels(app, "release", number))).filter(
    (each) => each.Config.Labels?.[labels.hook] !== undefined,
  );
  const output = new HookOutput(host, service, container?.Id ?? "", op);
  const deadline = Date.now() + timeoutSeconds * 1000;
  for (;;) {
    const now = await host.containers.inspect(container?.Id ?? "");
    const isOver = now?.State.Running !== true;
    await output.tell(isOver);
    if (isOver) {
      requireSuccess(now, service, moment, output.end);
      return;
    }
    if (Date.now() > deadline)
      throw hookError(`had not ended after ${timeoutSeconds} s`, { service, moment, log: output.end });
    await sleep(pollMs, undefined, { signal: op.signal });
  }
}

function requireSuccess(container: Container | undefined, service: string, moment: Moment, log: string[]): void {
  if (container === undefined) throw hookError("was removed while it ran", { service, moment, log });
  const { ExitCode: exitCode, OOMKilled: outOfMemory } = container.State;
  if (exitCode === 0) return;
  const why = outOfMemory ? "ran out of memory" : `ended with exit code ${exitCode}`;
  throw hookError(why, { service, moment, log, exitCode, outOfMemory });
}

interface HookFailure {
  service: string;
  moment: Moment;
  log: string[];
  exitCode?: number;
  outOfMemory?: boolean;
}

function hookError(what: string, details: HookFailure): IkomaError {
  const last = details.log.at(-1);
  const said = last === undefined ? "." : `; its last line: ${last}`;
  return new IkomaError("HOOK_FAILED", `The ${details.moment} hook ${details.service} ${what}${said}`, {
    details: { ...details },
  });
}

/** What a job writes, told while it does. */
class HookOutput {
  /** The last lines, free of secrets. */
  end: string[] = [];
  #told = 0;
  readonly #host: Host;
  readonly #service: string;
  readonly #container: string;
  readonly #op: OperationContext;

  constructor(host: Host, service: string, container: string, op: OperationContext) {
    this.#host = host;
    this.#service = service;
    this.#container = container;
    this.#op = op;
  }

  async tell(isOver: boolean): Promise<void> {
    // Some log drivers cannot be read from; that must not hide how the job ended.
    const lines = await this.#host.containers.lastLines(this.#container, shownLines).catch(() => []);
    this.end = lines.slice(-lastLines).map((line) => this.#op.redact(line).slice(0, quotedLength));
    const isCut = lines.length === shownLines;
    // From then on the first of these lines is another one each time.
    const fresh = isCut ? (isOver ? this.end : []) : lines.slice(this.#told);
    for (const line of fresh) this.#op.log(this.#service, line);
    this.#told = Math.max(this.#told, lines.length);
  }
}
