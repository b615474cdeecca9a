/**
 * Every failure that a person can meet, in one table: its exit code, and what to do next. A message
 * says what happened; `cause` says why; the hint is the next step.
 *
 * Exit codes follow Pulumi's own table (0 ok, 1 error, 2 usage or configuration, 3 authentication,
 * 4 resource, 6 stack not found, 8 cancelled, 9 time-out) with 10 for a release that failed its checks. 7 is no
 * failure: `ikoma drift` found something.
 */
export const errorTable = {
  INTERNAL: { exitCode: 255, hint: "This is a defect. Run again with IKOMA_DEBUG=1 and report what it prints." },
  USAGE: { exitCode: 2, hint: "See the command's --help." },
  CONFIG_INVALID: { exitCode: 2, hint: "Correct the named setting in the stack's configuration file and run again." },
  CONFIG_MISSING: { exitCode: 2, hint: "Set the named value with `pulumi config set` (add --secret for a secret)." },
  STACK_NOT_FOUND: { exitCode: 6, hint: "List the stacks with `pulumi stack ls`, or name one with --stack." },
  STACK_LOCKED: { exitCode: 1, hint: "Another run holds the stack. Wait for it, or use --wait-for-lock." },
  ENGINE_MISSING: { exitCode: 1, hint: "Install the Pulumi CLI, or run scripts/setup, and put it on PATH." },
  ENGINE_FAILED: { exitCode: 4, hint: "Read the diagnostics above; nothing further was changed." },
  PASSPHRASE_MISSING: { exitCode: 3, hint: "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE." },
  CANCELLED: { exitCode: 8, hint: "Run the same command again to continue." },
  TIMEOUT: { exitCode: 9, hint: "Run the same command again; finished steps are not repeated." },
  COMPOSE_INVALID: { exitCode: 2, hint: "Correct the compose file; `docker compose config` shows how it is read." },
  COMPOSE_UNSUPPORTED: { exitCode: 2, hint: "Change the named setting of the compose file." },
  COMPOSE_MISSING: { exitCode: 1, hint: "Install Docker Compose v2, or run scripts/setup." },
  BUNDLE_NOT_FOUND: { exitCode: 1, hint: "Make it with `ikoma bundle create`, or check the reference." },
  BUNDLE_INVALID: { exitCode: 2, hint: "Make the bundle again with `ikoma bundle create`." },
  IMAGE_NOT_FOUND: { exitCode: 1, hint: "Push the image first, or correct its reference." },
  REGISTRY_UNREACHABLE: { exitCode: 1, hint: "Check the registry's address and that it runs." },
  REGISTRY_AUTH: { exitCode: 3, hint: "Log in with `docker login`." },
  HOST_UNREACHABLE: {
    exitCode: 4,
    hint: "Check the address and port, and that the server is up: `ikoma host status`.",
  },
  HOST_AUTH: { exitCode: 3, hint: "Check the SSH user and key for this host." },
  HOST_KEY_UNKNOWN: { exitCode: 3, hint: "Compare the fingerprint with the server's and run `ikoma host trust`." },
  HOST_KEY_CHANGED: { exitCode: 3, hint: "Find out why the key changed before you run `ikoma host trust` again." },
  HOST_NOT_READY: { exitCode: 4, hint: "Run `ikoma host bootstrap`." },
  HOST_UNSUPPORTED: { exitCode: 4, hint: "Correct what is named on the host, then run `ikoma host bootstrap` again." },
  HOST_IN_USE: {
    exitCode: 2,
    hint: "Give the apps another host (their setting `host`) or take them out, then run again; or add --force.",
  },
  AGENT_MISSING: { exitCode: 4, hint: "Run `ikoma host bootstrap`." },
  AGENT_PROTOCOL: { exitCode: 4, hint: "Upgrade the older side: `ikoma host bootstrap`, or this CLI." },
  AGENT_CONNECTION_LOST: { exitCode: 4, hint: "The host finishes what was started. Run the same command again." },
  AGENT_OFFLINE: { exitCode: 4, hint: "Run without `offline` to change a host." },
  STALE_GENERATION: {
    exitCode: 4,
    hint: "Somebody else changed the app meanwhile. Run the same command again to see the new plan.",
  },
  DEPLOY_IN_PROGRESS: { exitCode: 4, hint: "Wait for the deploy that is named, or use --wait-for-lock." },
  APP_UNKNOWN: { exitCode: 2, hint: "Check the app's name, or see `ikoma status`." },
  HOOK_FAILED: { exitCode: 10, hint: "Read the log lines above; the release before it still serves." },
  APP_IN_USE: {
    exitCode: 2,
    hint: "Take the app out of the stack's settings and apply, or run `pulumi destroy`; then purge.",
  },
  RELEASE_CRASHED: { exitCode: 10, hint: "Read the log lines above; the release before it still serves." },
  RELEASE_UNHEALTHY: { exitCode: 10, hint: "Read the probe's answer above; the release before it still serves." },
  RELEASE_SMOKE_FAILED: { exitCode: 10, hint: "Read the check's answer above; the release before it still serves." },
  RELEASE_BAKE_FAILED: {
    exitCode: 10,
    hint: "The release before it serves again. Correct the app and deploy another bundle, or, if you are sure of this one, `ikoma deploy apply --redeploy`.",
  },
  RELEASE_INTERRUPTED: {
    exitCode: 4,
    hint: "The host went back to the release before it. Run the same command again.",
  },
  RELEASE_WITHDRAWN: {
    exitCode: 4,
    hint: "Deploy another bundle, or, if you are sure of this one, `ikoma deploy apply --redeploy`.",
  },
  NO_ROLLBACK_TARGET: { exitCode: 2, hint: "See `ikoma deploy history` for what can be rolled back to." },
  ACCESSORY_FAILED: { exitCode: 4, hint: "Read the log lines above; no release was changed." },
  VOLUME_MISSING: {
    exitCode: 4,
    hint: "Restore the volume from a backup, or begin with an empty one: `ikoma deploy apply --recreate-volume NAME`.",
  },
  IMAGE_PULL_FAILED: {
    exitCode: 4,
    hint: "Check that the host can reach the registry and is logged in: `ikoma host bootstrap`.",
  },
  IMAGE_PLATFORM: { exitCode: 4, hint: "Build the image for the host's platform (docker buildx build --platform …)." },
  DISK_FULL: { exitCode: 4, hint: "Free space on the host." },
  EDGE_FAILED: { exitCode: 4, hint: "See `ikoma host status` and the log of the container ikoma-edge." },
  NETWORKS_EXHAUSTED: { exitCode: 4, hint: "Enlarge `networkPool` of the host, or remove an app." },
  JOURNAL_NEWER: { exitCode: 4, hint: "Install the newer agent again: `ikoma host bootstrap`." },
} as const satisfies Record<string, { exitCode: number; hint: string }>;

/** A code of {@link errorTable}. */
export type ErrorCode = keyof typeof errorTable;

/** What an {@link IkomaError} may say besides its message. */
export interface ErrorDetails {
  /** The next step, where the table's general one can be made more exact. */
  hint?: string;
  /** Facts for programs: log lines, probe answers, paths. Never a secret. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** A failure that was foreseen: a code from the one table, what happened, why, what to do next. */
export class IkomaError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, more: ErrorDetails = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "IkomaError";
    this.code = code;
    this.hint = more.hint ?? errorTable[code].hint;
    this.details = more.details ?? {};
  }

  /** The process's exit code for this failure. */
  get exitCode(): number {
    return errorTable[this.code].exitCode;
  }
}

/** Whether a string from the wire is a code that this version knows. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}

/** Any thrown value as an {@link IkomaError}; what was not foreseen becomes INTERNAL with its cause kept. */
export function toIkomaError(thrown: unknown): IkomaError {
  if (thrown instanceof IkomaError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new IkomaError("INTERNAL", message, { cause: thrown });
}
