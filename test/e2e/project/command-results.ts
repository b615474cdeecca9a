import { expect } from "@jest/globals";
import * as z from "zod";
import type { EndedCommand } from "./running-command.ts";

const service = z.object({ state: z.string(), healthy: z.boolean() });
const change = z.object({
  path: z.string(),
  kind: z.string(),
  old: z.unknown().optional(),
  new: z.unknown().optional(),
});
const entry = z.object({
  part: z.string(),
  operation: z.string(),
  changes: z.array(change),
  drift: z.array(z.string()),
  services: z.record(z.string(), z.string()),
});

const applied = z.object({
  changed: z.boolean(),
  apps: z.record(
    z.string(),
    z.object({ number: z.number(), version: z.string(), services: z.record(z.string(), service) }),
  ),
  plan: z.array(entry),
  pin: z.object({ bundle: z.string(), isChanged: z.boolean() }).optional(),
});
const rolledBack = applied.extend({ target: z.object({ number: z.number() }), restored: z.array(z.string()) });
const planned = z.object({ changes: z.boolean(), digest: z.string(), entries: z.array(entry) });
const subject = z.object({ host: z.string(), app: z.string(), part: z.string(), name: z.string() });
const driftReport = z.object({
  state: z.enum(["clean", "drifted", "unknown"]),
  checked: z.number(),
  differences: z.array(
    subject.extend({
      path: z.string(),
      message: z.string(),
      wanted: z.string().optional(),
      found: z.string().optional(),
      repair: z.string(),
    }),
  ),
  unreadable: z.array(subject.extend({ code: z.string(), message: z.string(), hint: z.string() })),
});
const failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  details: z.record(z.string(), z.unknown()),
});

/** What `ikoma deploy apply --json` answers. */
export type Applied = z.infer<typeof applied>;
/** What `ikoma deploy rollback --json` answers. */
export type RolledBack = z.infer<typeof rolledBack>;
/** What `ikoma deploy plan --json` answers. */
export type Planned = z.infer<typeof planned>;
/** What `ikoma drift --json` answers, with its exit code. */
export type DriftFound = z.infer<typeof driftReport> & { readonly exitCode: number | undefined };
/** What any command answers that failed, with its exit code. */
export type Failure = z.infer<typeof failure> & { readonly exitCode: number };

const envelope = z.object({ apiVersion: z.literal("ikoma.dev/v1"), kind: z.string() });

/** Expects exit code 0 and the one document on standard output. */
export function readApplied(ended: EndedCommand): Applied {
  return applied.parse(dataOf(ended, "DeployApplied"));
}

/** Expects exit code 0 and the one document on standard output. */
export function readRolledBack(ended: EndedCommand): RolledBack {
  return rolledBack.parse(dataOf(ended, "DeployRolledBack"));
}

/** Expects exit code 0 and the one document on standard output. */
export function readPlanned(ended: EndedCommand): Planned {
  return planned.parse(dataOf(ended, "DeployPlan"));
}

/** Expects the one document on standard output, whatever the exit code. */
export function readDrift(ended: EndedCommand): DriftFound {
  return { ...driftReport.parse(documentOf(ended, "Drift")), exitCode: ended.code };
}

/** Expects another exit code than 0 and the error on standard output. */
export function readFailure(ended: EndedCommand): Failure {
  expect(ended).toMatchObject({
    code: expect.any(Number) as unknown,
    stdout: expect.stringMatching(/^\{.*\}\n$/) as unknown,
  });
  const { error } = z.object({ kind: z.literal("Error"), error: failure }).parse(JSON.parse(ended.stdout));
  expect(ended.code).not.toBe(0);
  return { ...error, exitCode: ended.code ?? -1 };
}

function dataOf(ended: EndedCommand, kind: string): unknown {
  // What the command said is why it ended so.
  if (ended.code !== 0) throw new Error(`exit code ${ended.code ?? "none"}:\n${ended.stdout}${ended.stderr}`);
  return documentOf(ended, kind);
}

function documentOf(ended: EndedCommand, kind: string): unknown {
  expect(ended.stdout).toMatch(/^\{.*\}\n$/);
  const document: unknown = JSON.parse(ended.stdout);
  expect(envelope.parse(document).kind).toBe(kind);
  return z.object({ data: z.unknown() }).parse(document).data;
}
