import { evidenceOf, readFailureFacts, type FailureFacts } from "../../core/release/release-failure.ts";
import type { IkomaError } from "../../core/errors.ts";
import type { Colors } from "./colors.ts";

/**
 * A failure as text for people, in the order in which it is read: what happened, the likely cause, what was seen, the
 * log lines, the next step.
 */
export function renderError(error: IkomaError, colors: Colors): string {
  const facts = readFailureFacts(error.details);
  const lines = [`${colors.red(colors.bold("error"))} ${colors.dim(error.code)} ${facts?.happened ?? error.message}`];
  if (facts !== undefined) lines.push(...renderFacts(facts, colors));
  const service = facts === undefined ? "" : `${facts.service} `;
  for (const line of logLines(error.details)) lines.push(colors.dim(`  ${service}| ${line}`));
  if (facts === undefined && error.cause instanceof Error && !error.message.includes(error.cause.message)) {
    lines.push(`  cause: ${error.cause.message}`);
  }
  if (error.code === "INTERNAL" && process.env.IKOMA_DEBUG === "1") lines.push(debugTrace(error));
  lines.push(`  ${colors.cyan("next")}: ${error.hint}`);
  return `${lines.join("\n")}\n`;
}

function renderFacts(facts: FailureFacts, colors: Colors): string[] {
  const evidence = evidenceOf(facts);
  const others = facts.causes
    .slice(1)
    // What only repeats a line of evidence is no second thought.
    .filter(({ says }) => !evidence.some(({ text }) => says.includes(text)))
    .map(({ says }) => ({ label: "or else", text: says }));
  const rows = [...others, ...evidence];
  const width = Math.max(...["likely", ...rows.map(({ label }) => label)].map((label) => label.length));
  return [
    `  ${colors.bold(colors.yellow("likely".padEnd(width)))}  ${colors.bold(facts.cause)}`,
    ...rows.map(({ label, text }) => `  ${colors.dim(label.padEnd(width))}  ${text}`),
  ];
}

/** Agent and provider put the last lines of a container's log in `details.log`. */
function logLines(details: Record<string, unknown>): string[] {
  const log = details["log"];
  if (typeof log === "string") return log.trimEnd().split("\n");
  return Array.isArray(log) ? log.filter((line) => typeof line === "string") : [];
}

function debugTrace(error: IkomaError): string {
  const origin = error.cause instanceof Error ? error.cause : error;
  return origin.stack ?? origin.message;
}
