import type { OperationEvent } from "../../agent/protocol/wire.ts";
import { driftUnknown } from "../../core/config/offline.ts";
import type { EngineEvent, EngineStep } from "../../core/engine/engine-event.ts";
import type { Progress } from "./steps.ts";

/** Operations that are a step, and what they add to its title. */
const changing: Readonly<Record<string, string>> = {
  create: " (new)",
  update: "",
  delete: " (remove)",
  replace: " (replace)",
  "create-replacement": " (replace)",
  "delete-replaced": " (replace)",
};
const resourceType = /^ikoma:[a-z]+:([A-Za-z]+)$/;

/** Tells a run of the engine as progress: a step for each resource that changes, notes for what hosts do for it. */
export class RunView {
  readonly #progress: Progress;
  readonly #root: string;
  readonly #isPreview: boolean;
  readonly #open = new Set<string>();
  /** Steps of bakes that are under way, with what was last said of each. */
  readonly #baking = new Map<string, string>();

  /** `root` is the id of a step that is under way; what the run does becomes part of it. Of a preview nothing is done. */
  constructor(progress: Progress, root: string, { isPreview = false } = {}) {
    this.#progress = progress;
    this.#root = root;
    this.#isPreview = isPreview;
  }

  engine(event: EngineEvent): void {
    switch (event.type) {
      case "step":
        this.#begin(event.step);
        return;
      case "done":
        if (event.step.op in changing) this.#end(event.step.urn, "done");
        return;
      case "failed":
        this.#end(event.step.urn, "failed");
        return;
      case "diagnostic":
        this.#diagnostic(event);
        return;
      case "summary":
        return;
    }
  }

  /** What an operation on a host does, for the resource that asked for it. */
  host(urn: string, { type, name, message }: OperationEvent): void {
    const step = this.#open.has(urn) ? urn : this.#root;
    if (type === "phase" && name === "switched") this.#endBake(urn, "done");
    if (type === "step" && name === "undo") this.#endBake(urn, "failed");
    if (type === "step" && name === "bake") this.#bake(urn, step, message);
    else if (type === "warning") this.#progress.message(`${name}: ${message}`, "warning");
    else if (type === "log") this.#progress.note(step, `${name} | ${message}`);
    else this.#progress.note(step, type === "phase" ? name : `${name} ${message}`.trim());
  }

  repair(message: string): void {
    this.#progress.message(message, "warning");
  }

  /** The only part of an operation that is meant to take long, hence a step of its own, until the next thing happens. */
  #bake(urn: string, step: string, message: string): void {
    const id = `${urn}::bake`;
    if (!this.#baking.has(id)) this.#progress.begin({ id, title: "bake", parent: step });
    this.#baking.set(id, message);
    this.#progress.note(id, message);
  }

  #begin(step: EngineStep): void {
    const title = titleOf(step);
    if (title === undefined) return;
    if (step.op === "refresh") this.#progress.note(this.#root, `comparing ${title} with the host`);
    const addition = changing[step.op];
    if (addition === undefined || this.#isPreview || this.#open.has(step.urn)) return;
    this.#open.add(step.urn);
    this.#progress.begin({ id: step.urn, title: title + addition, parent: this.#root });
  }

  #end(urn: string, outcome: "done" | "failed"): void {
    this.#endBake(urn, outcome);
    if (this.#open.delete(urn)) this.#progress.end(urn, outcome);
  }

  #endBake(urn: string, outcome: "done" | "failed"): void {
    const id = `${urn}::bake`;
    const figures = this.#baking.get(id);
    if (this.#baking.delete(id)) this.#progress.end(id, outcome, figures);
  }

  /**
   * Errors are left to the command, which ends with them; words about a resource come from the host's own events,
   * before the engine repeats them.
   */
  #diagnostic({ severity, message, urn, ephemeral }: Extract<EngineEvent, { type: "diagnostic" }>): void {
    // What is unknown is told in the plan, at its resource.
    if (ephemeral || message === "" || message === driftUnknown) return;
    if (severity === "warning") this.#progress.message(message, "warning");
    else if (severity === "info" && urn === undefined) this.#progress.message(message);
  }
}

/** `release shop`; undefined for what is no resource of a host (the stack, providers, components). */
function titleOf({ type, urn, new: wanted, old }: EngineStep): string | undefined {
  const name = urn.split("::").at(-1) ?? urn;
  if (type.startsWith("pulumi:") || (wanted ?? old)?.custom !== true) return undefined;
  const word = resourceType.exec(type)?.[1]?.toLowerCase() ?? type;
  return `${word} ${name}`;
}
