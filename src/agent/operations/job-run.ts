import { setTimeout as sleep } from "node:timers/promises";
import type { IkomaError } from "../../core/errors.ts";
import type { Container } from "../engine/containers.ts";
import type { Host, OperationContext } from "../host.ts";

const pollMs = 100;
/** What is shown of a job while it runs, in lines; of a longer output only the end is shown as well. */
const shownLines = 200;
const lastLines = 20;
/** What of a line an error quotes, in characters. */
const quotedLength = 500;

/** How a job went wrong. */
export interface JobFailure {
  /** The last lines, free of secrets. */
  log: string[];
  exitCode?: number;
  outOfMemory?: boolean;
}

/** A job that has been started. */
export interface StartedJob {
  readonly service: string;
  readonly container: string;
  readonly timeoutSeconds: number;
  /** The error for it; `what` goes on after its name ("ran out of memory"). */
  readonly failed: (what: string, failure: JobFailure) => IkomaError;
}

/** Waits for a job's end and tells meanwhile what it writes. Throws what `failed` makes unless it ended well, in time. */
export async function awaitJob(host: Host, job: StartedJob, op: OperationContext): Promise<void> {
  const output = new JobOutput(host, job, op);
  const deadline = performance.now() + job.timeoutSeconds * 1000;
  for (;;) {
    const now = await host.containers.inspect(job.container);
    const isOver = now?.State.Running !== true;
    await output.tell(isOver);
    if (isOver) {
      requireSuccess(now, job, output.end);
      return;
    }
    if (performance.now() > deadline)
      throw job.failed(`had not ended after ${job.timeoutSeconds} s`, { log: output.end });
    await sleep(pollMs, undefined, { signal: op.signal });
  }
}

function requireSuccess(container: Container | undefined, { failed }: StartedJob, log: string[]): void {
  if (container === undefined) throw failed("was removed while it ran", { log });
  const { ExitCode: exitCode, OOMKilled: outOfMemory } = container.State;
  if (exitCode === 0) return;
  const why = outOfMemory ? "ran out of memory" : `ended with exit code ${exitCode}`;
  throw failed(why, { log, exitCode, outOfMemory });
}

/** What a job writes, told while it does. */
class JobOutput {
  /** The last lines, free of secrets. */
  end: string[] = [];
  #told = 0;
  readonly #host: Host;
  readonly #service: string;
  readonly #container: string;
  readonly #op: OperationContext;

  constructor(host: Host, { service, container }: StartedJob, op: OperationContext) {
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
