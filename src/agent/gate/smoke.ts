import { IkomaError } from "../../core/errors.ts";
import type { SmokeCheck } from "../../core/release/release-spec.ts";
import type { OperationContext } from "../host.ts";
import { describeAnswer, isAccepted, probe } from "./http-probe.ts";
import type { ProbeTarget } from "./http-probe.ts";

/** How far down an answer its text is looked for. A page that a server renders often has more than 64 KiB. */
const searchedBytes = 1024 * 1024;

/** The way that smoke checks take. */
export interface SmokeRoute {
  readonly target: ProbeTarget;
  /** Host name that is asked for. */
  readonly host: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** In words, for messages. */
  readonly where: string;
}

/** Asks each check once, in order; throws RELEASE_SMOKE_FAILED at the first wrong answer. */
export async function runSmokeChecks(
  checks: readonly SmokeCheck[],
  { target, host, headers = {}, where }: SmokeRoute,
  op: OperationContext,
): Promise<void> {
  for (const check of checks) {
    const answer = await probe(target, {
      path: check.path,
      host,
      headers,
      timeoutMs: check.timeoutSeconds * 1000,
      bodyBytes: searchedBytes,
      signal: op.signal,
    });
    const missesText = "body" in answer && check.contains !== undefined && !answer.body.includes(check.contains);
    if (isAccepted(answer, check.status) && !missesText) continue;
    const wanted = missesText
      ? `a body with ${JSON.stringify(check.contains)}`
      : `a status of ${check.status.join("-")}`;
    const said = describeAnswer(answer, op.redact);
    const happened = `The smoke check GET ${check.path} ${where} failed`;
    const cause = `it wanted ${wanted} and got ${said}`;
    throw new IkomaError("RELEASE_SMOKE_FAILED", `${happened}: ${cause}`, {
      details: { path: check.path, answer: said, where, happened, cause },
    });
  }
}
