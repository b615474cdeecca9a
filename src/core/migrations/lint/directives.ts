import type { Found } from "./found.ts";
import type { LineComment } from "./parsed-migration.ts";

/** What a file says about itself in comments. */
export interface Directives {
  /** Reason by rule. */
  readonly allowed: ReadonlyMap<string, string>;
  readonly phase: "expand" | "contract" | undefined;
  /** Those that are not understood. */
  readonly findings: readonly Found[];
}

/** Lifts the need for a backup; not a rule of the lint. */
export const noBackup = "no-backup";

const allow = /^allow\s+([a-z-]+)\s+reason="([^"]*[^\s"][^"]*)"$/;
const phaseTag = /^phase\s+(expand|contract)$/;

/** Reads `-- ikoma:allow RULE reason="…"` and `-- ikoma:phase expand|contract`. */
export function readDirectives(comments: readonly LineComment[], rules: readonly string[]): Directives {
  const allowed = new Map<string, string>();
  const findings: Found[] = [];
  let phase: Directives["phase"];
  for (const { line, text } of comments) {
    if (!text.startsWith("ikoma:")) continue;
    const said = text.slice("ikoma:".length).trim();
    const [, rule, reason = ""] = allow.exec(said) ?? [];
    const [, tag] = phaseTag.exec(said) ?? [];
    if (rule !== undefined && (rules.includes(rule) || rule === noBackup)) allowed.set(rule, reason);
    else if (tag === "expand" || tag === "contract") phase = phase === "contract" ? phase : tag;
    else findings.push({ rule: "directive", line, severity: "block", message: whyNot(rule, rules) });
  }
  return { allowed, phase, findings };
}

function whyNot(rule: string | undefined, rules: readonly string[]): string {
  return rule === undefined
    ? 'it is not understood. Write `-- ikoma:allow RULE reason="why"`, or `-- ikoma:phase expand` or `contract`.'
    : `there is nothing to allow that is called ${rule}. There are: ${[...rules, noBackup].join(", ")}.`;
}
