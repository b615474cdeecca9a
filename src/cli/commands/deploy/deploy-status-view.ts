import type { Result } from "../../../agent/protocol/methods.ts";
import type { Deployment } from "../../../agent/protocol/views.ts";
import type { HeldLock } from "../../../core/project/deploy-locks.ts";
import { formatAge } from "../../output/quantities.ts";

/** What is known of a deploy that may be under way. */
export interface DeployStatus {
  readonly stack: string;
  readonly app: string;
  /** undefined where the state's store does not tell. */
  readonly locks: readonly HeldLock[] | undefined;
  /** What the host works at. */
  readonly operation: Result<"app.status">["apps"][number]["operation"];
  readonly current: Deployment | undefined;
}

/** For people: the run that holds the stack, the operation on the host, what serves. */
export function renderDeployStatus({ stack, app, locks, operation, current }: DeployStatus, nowMs: number): string {
  const lines: string[] = [];
  for (const lock of locks ?? []) {
    const since = formatAge(Date.parse(lock.createdAt), nowMs);
    const dead = lock.isAbandoned ? "; that process is dead, the next deploy takes over" : "";
    lines.push(`stack ${stack}: held by ${lock.user}@${lock.hostname}, process ${lock.pid}, ${since}${dead}`);
  }
  if (locks?.length === 0) lines.push(`stack ${stack}: no run holds it`);
  lines.push(
    operation === undefined
      ? `host: no operation on ${app}`
      : `host: ${operation.kind}, phase ${operation.phase}, for ${operation.by}`,
  );
  if (current === undefined) lines.push(`${app}: nothing deployed yet`);
  else
    lines.push(
      `${app}: ${current.version}, deployment #${current.number}, ${formatAge(current.startedAtMs, nowMs)} by ${current.by}`,
    );
  return lines.join("\n");
}
