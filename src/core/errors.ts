/**
 * No failure: `ikoma drift` found that something differs, or could not read all. Whoever asks must not take that for
 * "as it was applied".
 */
export const driftExitCode = 7;

/**
 * Every failure that a person can meet, in one table: its exit code, what it means, and what to do next. An error's
 * message says what happened this time, its `cause` why, its hint what to do. docs/errors.md is made from this.
 *
 * Exit codes follow Pulumi's own table (0 ok, 1 error, 2 usage or configuration, 3 authentication,
 * 4 resource, 6 stack not found, 8 cancelled, 9 time-out, 255 internal) with 10 for a release that failed its checks.
 */
export const errorTable = {
  INTERNAL: {
    exitCode: 255,
    meaning: "Something happened that the program did not foresee.",
    hint: "This is a defect. Run again with IKOMA_DEBUG=1 and report what it prints.",
  },
  USAGE: {
    exitCode: 2,
    meaning: "The command line cannot be read, or does not say enough.",
    hint: "See the command's --help.",
  },
  CONFIG_INVALID: {
    exitCode: 2,
    meaning: "A setting has a wrong name, a wrong type, or contradicts another.",
    hint: "Correct the named setting in the stack's configuration file and run again.",
  },
  CONFIG_MISSING: {
    exitCode: 2,
    meaning: "A setting, a variable of the compose file or a project file is needed and not there.",
    hint: "Set the named value with `pulumi config set` (add --secret for a secret).",
  },
  FILE_REFUSED: {
    exitCode: 1,
    meaning: "A file or folder of the machine that the command runs on cannot be read or written.",
    hint: "See that it is what it should be, who owns it, and that the disk has room; then run again.",
  },
  STACK_NOT_FOUND: {
    exitCode: 6,
    meaning: "The project has no stack of that name.",
    hint: "List the stacks with `pulumi stack ls`, or name one with --stack.",
  },
  STACK_LOCKED: {
    exitCode: 1,
    meaning: "Another run changes the same stack.",
    hint: "Wait for it, or use --wait-for-lock. Of a machine that is gone for certain: `ikoma deploy repair --force`.",
  },
  ENGINE_MISSING: {
    exitCode: 1,
    meaning: "The Pulumi CLI, or a plugin of it, cannot be found.",
    hint: "Install the Pulumi CLI, or run scripts/setup, and put it on PATH.",
  },
  ENGINE_FAILED: {
    exitCode: 4,
    meaning: "The Pulumi engine ended with an error that is none of the others here.",
    hint: "Read the diagnostics above; nothing further was changed.",
  },
  PASSPHRASE_MISSING: {
    exitCode: 3,
    meaning: "The stack's secrets are encrypted, and the passphrase is missing or does not fit.",
    hint: "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE.",
  },
  CANCELLED: {
    exitCode: 8,
    meaning: "Somebody stopped the run; hosts went back to what they served.",
    hint: "Run the same command again to continue.",
  },
  TIMEOUT: {
    exitCode: 9,
    meaning: "Something took longer than it may.",
    hint: "Run the same command again; finished steps are not repeated.",
  },
  COMPOSE_INVALID: {
    exitCode: 2,
    meaning: "The compose file cannot be read, or compose refuses it.",
    hint: "Correct the compose file; `docker compose config` shows how it is read.",
  },
  COMPOSE_UNSUPPORTED: {
    exitCode: 2,
    meaning: "The compose file asks for something that a release beside another cannot have.",
    hint: "Change the named setting of the compose file.",
  },
  COMPOSE_MISSING: {
    exitCode: 1,
    meaning: "Docker Compose v2 is not installed where the bundle is made.",
    hint: "Install Docker Compose v2, or run scripts/setup.",
  },
  PROJECT_UNKNOWN: {
    exitCode: 2,
    meaning: "The folder has no compose file, and is no project of Lovable that is recognised.",
    hint: "Run in the project's folder (or name it with --cwd), or write a compose.yaml for it.",
  },
  PROJECT_UNSUPPORTED: {
    exitCode: 2,
    meaning: "The project is recognised, but as it is it cannot be built for a server of one's own.",
    hint: "Change what is named, or write a Dockerfile: `ikoma project build` then uses that.",
  },
  BUILD_VALUES_INVALID: {
    exitCode: 2,
    meaning:
      "A value that the build puts into what every visitor gets is missing, lost by the Dockerfile, or a secret.",
    hint: "Give public values only: --value NAME=value, --values FILE, or the environment.",
  },
  BUILD_REFUSED: {
    exitCode: 2,
    meaning: "What was built must not be an image: it talks to another backend, holds a secret, or is not for Node.js.",
    hint: "Correct what is named; to stay with a backend that the source names, add --backend HOST.",
  },
  BUILD_FAILED: {
    exitCode: 1,
    meaning: "The install or the build of a project's image failed.",
    hint: "Read the log lines above; the same happens with the project's own `npm install` and `npm run build`.",
  },
  BUILDX_MISSING: {
    exitCode: 1,
    meaning: "Docker with its plugin buildx is not installed where the image is to be built.",
    hint: "Install docker and docker-buildx-plugin, or run scripts/setup.",
  },
  BUNDLE_NOT_FOUND: {
    exitCode: 1,
    meaning: "There is no bundle at that reference.",
    hint: "Make it with `ikoma bundle create`, or check the reference.",
  },
  BUNDLE_INVALID: {
    exitCode: 2,
    meaning: "What is at that reference is no bundle, or not the one that its digest names.",
    hint: "Make the bundle again with `ikoma bundle create`.",
  },
  BUNDLE_UNSIGNED: {
    exitCode: 3,
    meaning: "Only signed bundles may run there, and nobody has signed this one.",
    hint: "Sign it with a key that the host trusts: `ikoma bundle sign REFERENCE --sign-key FILE`.",
  },
  BUNDLE_SIGNATURE_INVALID: {
    exitCode: 3,
    meaning: "No signature of the bundle counts, or what is to run is not what was signed.",
    hint: "See `ikoma bundle inspect REFERENCE`, and sign it with a key that the host trusts if it is right.",
  },
  SIGNING_KEY_INVALID: {
    exitCode: 3,
    meaning: "The key to sign with cannot be read, or its passphrase is missing or wrong.",
    hint: "Make a pair with `ikoma bundle keygen NAME`.",
  },
  IMAGE_NOT_FOUND: {
    exitCode: 1,
    meaning: "An image that the compose file or `--image` names is not in its registry.",
    hint: "Push the image first, or correct its reference.",
  },
  REGISTRY_UNREACHABLE: {
    exitCode: 1,
    meaning: "The registry does not answer, or answers nothing sensible.",
    hint: "Check the registry's address and that it runs.",
  },
  REGISTRY_AUTH: {
    exitCode: 3,
    meaning: "The registry refuses the login, or wants one.",
    hint: "Log in with `docker login`.",
  },
  HOST_UNREACHABLE: {
    exitCode: 4,
    meaning: "No SSH connection to the server could be made.",
    hint: "Check the address and port, and that the server is up: `ikoma host status`.",
  },
  HOST_AUTH: {
    exitCode: 3,
    meaning: "The server refuses the SSH user or key.",
    hint: "Check the SSH user and key for this host.",
  },
  HOST_KEY_UNKNOWN: {
    exitCode: 3,
    meaning: "Nobody has said yet that the server's key is the right one.",
    hint: "Compare the fingerprint with the server's and run `ikoma host trust`.",
  },
  HOST_KEY_CHANGED: {
    exitCode: 3,
    meaning: "The server shows another key than the one that is trusted.",
    hint: "Find out why the key changed before you run `ikoma host trust` again.",
  },
  HOST_NOT_READY: {
    exitCode: 4,
    meaning: "Docker or the agent on the server does not do its work.",
    hint: "Run `ikoma host bootstrap`.",
  },
  HOST_UNSUPPORTED: {
    exitCode: 4,
    meaning: "Something on the server is missing or too old, or a step of its set-up failed.",
    hint: "Correct what is named on the host, then run `ikoma host bootstrap` again.",
  },
  HOST_PREPARE_FAILED: {
    exitCode: 4,
    meaning: "A step that prepares the server (`prepare` of `ikoma:setup`) failed; the agent was not touched.",
    hint: "Read what the step printed, correct it, and run `ikoma host bootstrap` again.",
  },
  HOST_IN_USE: {
    exitCode: 2,
    meaning: "Apps of a stack are configured on the host that is to be forgotten.",
    hint: "Give the apps another host (their setting `host`) or take them out, then run again; or add --force.",
  },
  HOST_AWAY: {
    exitCode: 4,
    meaning: "The server is reached through the Bridge's API, and its agent is not connected there now.",
    hint: "See that the server is up and can reach the API; `--wait-for-host SECONDS` makes a deploy wait for it.",
  },
  HOST_SHELL_NEEDED: {
    exitCode: 2,
    meaning: "Something has to be run on the server itself, which is only reached through the Bridge's API.",
    hint: "Give the host an SSH address in the stack `hosts` for that time, or run the command on the server itself with `socket`.",
  },
  API_UNREACHABLE: {
    exitCode: 4,
    meaning: "The Bridge's API does not answer, or cannot prove who it is.",
    hint: "Check the address (`api` of the host) and that `ikoma api serve` runs there.",
  },
  API_AUTH: {
    exitCode: 3,
    meaning: "The Bridge's API wants a token, or refuses the one that it got.",
    hint: "Set IKOMA_API_TOKEN, or IKOMA_API_TOKEN_FILE, to a token that may reach the host: `ikoma api token create --caller`.",
  },
  STORE_UNREACHABLE: {
    exitCode: 4,
    meaning: "The database of the secret store does not answer, or cannot prove who it is.",
    hint: "Check its address and that it runs. To go back without it: `ikoma deploy rollback --with-secrets` takes the values that the host keeps.",
  },
  STORE_AUTH: {
    exitCode: 3,
    meaning: "The secret store refuses the login, or does not allow it what was asked.",
    hint: "Check the login in IKOMA_STORE_URL_FILE (or IKOMA_STORE_URL).",
  },
  STORE_MISSING: {
    exitCode: 2,
    meaning: "The database has no secret store.",
    hint: "Make one with `ikoma secrets init`, or correct the address.",
  },
  STORE_NEWER: {
    exitCode: 4,
    meaning: "The secret store was made by a newer version than the one that was started.",
    hint: "Install the newer version of ikoma.",
  },
  STORE_IDENTITY: {
    exitCode: 3,
    meaning: "There is no identity to read the store's secrets with, or they are not sealed for it.",
    hint: "Set IKOMA_STORE_IDENTITY_FILE to your identity's file; `ikoma secrets keygen FILE` makes one.",
  },
  STORE_TAMPERED: {
    exitCode: 4,
    meaning: "What is in the secret store is not what somebody who may write has put there.",
    hint: "Find out who changed the database, and set the value again (`ikoma secrets set`). Was a writer taken out of the settings by hand? Put them back, and use `ikoma secrets writers rm`.",
  },
  SECRET_NOT_FOUND: {
    exitCode: 2,
    meaning: "The store has no such secret, or not that version of it, or it was removed.",
    hint: "See `ikoma secrets list`; set it with `ikoma secrets set APP NAME`.",
  },
  SECRET_CHANGED: {
    exitCode: 4,
    meaning: "Somebody else changed the secret meanwhile; nothing was written.",
    hint: "See `ikoma secrets history APP NAME`, then run the same command again if it is still right.",
  },
  AGENT_MISSING: {
    exitCode: 4,
    meaning: "The server has no agent.",
    hint: "Run `ikoma host bootstrap`.",
  },
  AGENT_PROTOCOL: {
    exitCode: 4,
    meaning: "The agent and this program do not understand each other: one is too old.",
    hint: "Upgrade the older side: `ikoma host bootstrap`, or this CLI.",
  },
  AGENT_CONNECTION_LOST: {
    exitCode: 4,
    meaning: "The connection to the agent broke and did not come back in time.",
    hint: "The host finishes what was started. Run the same command again.",
  },
  AGENT_OFFLINE: {
    exitCode: 4,
    meaning: "The stack is `offline`: plans are made without looking at hosts, and nothing can be changed.",
    hint: "Run without `offline` to change a host.",
  },
  STALE_GENERATION: {
    exitCode: 4,
    meaning: "The app was changed between the plan and its execution.",
    hint: "Somebody else changed the app meanwhile. Run the same command again to see the new plan.",
  },
  DEPLOY_IN_PROGRESS: {
    exitCode: 4,
    meaning: "Another deploy of the app is under way.",
    hint: "Wait for the deploy that is named, or use --wait-for-lock.",
  },
  APP_UNKNOWN: {
    exitCode: 2,
    meaning: "The stack or the host has no app of that name.",
    hint: "Check the app's name, or see `ikoma status`.",
  },
  APP_IN_USE: {
    exitCode: 2,
    meaning: "The app that is to be purged still stands on the host, or a volume is not its own.",
    hint: "Take the app out of the stack's settings and apply, or run `pulumi destroy`; then purge.",
  },
  HOOK_FAILED: {
    exitCode: 10,
    meaning: "A job that runs before the release starts ended badly or took too long.",
    hint: "Read the log lines above; the release before it still serves.",
  },
  RELEASE_CRASHED: {
    exitCode: 10,
    meaning: "A service of the new release ended, or could not be started.",
    hint: "Read the log lines above; the release before it still serves.",
  },
  RELEASE_UNHEALTHY: {
    exitCode: 10,
    meaning: "A service of the new release ran, but did not become healthy in time.",
    hint: "Read the probe's answer above; the release before it still serves.",
  },
  RELEASE_SMOKE_FAILED: {
    exitCode: 10,
    meaning: "The new release gave a wrong answer to a smoke check.",
    hint: "Read the check's answer above; the release before it still serves.",
  },
  RELEASE_BAKE_FAILED: {
    exitCode: 10,
    meaning: "The release went bad with visitors in its bake time, and was taken back.",
    hint: "The release before it serves again. Correct the app and deploy another bundle, or, if you are sure of this one, `ikoma deploy apply --redeploy`.",
  },
  RELEASE_INTERRUPTED: {
    exitCode: 4,
    meaning: "The agent or the server was stopped in the middle of the deploy.",
    hint: "The host went back to the release before it. Run the same command again.",
  },
  PLAN_CHANGED: {
    exitCode: 4,
    meaning: "What a deploy would do is not what was approved: settings or the host have changed since.",
    hint: "Look at the new plan (`ikoma deploy plan`), and apply it by its digest if it is right.",
  },
  WINDOW_CLOSED: {
    exitCode: 4,
    meaning: "The stack's policy lets nothing be changed at this time.",
    hint: "Wait for the window that is named. In an emergency: `ikoma deploy apply --outside-window REASON`; a rollback needs no window.",
  },
  APPROVAL_MISSING: {
    exitCode: 4,
    meaning: "The stack's policy asks for approvals of exactly this plan, and there are not enough.",
    hint: "Have it approved (`ikoma deploy approve`), then apply it by its digest (`ikoma deploy apply --plan DIGEST`).",
  },
  RELEASE_WITHDRAWN: {
    exitCode: 4,
    meaning: "The bundle was rolled back from, or switched back from, and is not deployed again unasked.",
    hint: "Deploy another bundle, or, if you are sure of this one, `ikoma deploy apply --redeploy`.",
  },
  NO_ROLLBACK_TARGET: {
    exitCode: 2,
    meaning: "There is no earlier good deployment, or not the one that was named.",
    hint: "See `ikoma deploy history` for what can be rolled back to.",
  },
  ACCESSORY_FAILED: {
    exitCode: 4,
    meaning: "A long-lived service (database, cache) did not start or did not become healthy.",
    hint: "Read the log lines above; no release was changed.",
  },
  DATABASE_MAJOR_CHANGED: {
    exitCode: 4,
    meaning: "Another major version of PostgreSQL cannot read the files that a database has; nothing was changed.",
    hint: "Stay with the version, or move: `ikoma backup create`, give the service a new volume along with the new image, deploy (it begins empty), then `ikoma backup restore` of that backup.",
  },
  DATABASE_NOT_FOUND: {
    exitCode: 4,
    meaning:
      "An app has no PostgreSQL database among its accessories, or several and none is named, or it does not run.",
    hint: "Name one of the app's accessories that is a PostgreSQL server, and see that it runs (`ikoma status --live`).",
  },
  DATABASE_UNREACHABLE: {
    exitCode: 4,
    meaning: "An app's database does not answer, or does not take the login that its container was made with.",
    hint: "Of an accessory: see that it runs (`ikoma status --live`), and that its user, password and database are those that its data was made with. Of one that a URL leads to: see that it runs (a project of Supabase may be paused), and that it lets the server's address in.",
  },
  DATABASE_URL_INVALID: {
    exitCode: 2,
    meaning: "The URL of an app's database cannot be read, or leads there in a way that is not safe.",
    hint: "Write it as postgresql://USER:PASSWORD@HOST:5432/DATABASE; characters such as # / ? @ % in the password are percent-encoded.",
  },
  DATABASE_TLS: {
    exitCode: 3,
    meaning: "A database that a URL leads to cannot prove that it is the one, or encrypts nothing.",
    hint: "Give the certificate of the authority that its certificate is from as `caCert` of the app's `database`: of Supabase from the project's database settings (SSL configuration), of RDS from the bundle of its region.",
  },
  DATABASE_AUTH: {
    exitCode: 3,
    meaning: "A database that a URL leads to refuses the user, the password or the name of the database.",
    hint: "Take the URL again from where the database is managed, and set it: `pulumi config set --secret --path 'ikoma:secrets.APP.DATABASE_URL'`.",
  },
  DATABASE_POOLED: {
    exitCode: 4,
    meaning: "The URL leads to a connection pooler in transaction mode, through which no migration can be run safely.",
    hint: "Use the URL of the direct connection, or of the pooler in session mode: of Supabase port 5432 in place of 6543, of Neon the host without `-pooler`. The app itself may go on using the other one, under a secret of another name.",
  },
  DATABASE_MISMATCH: {
    exitCode: 4,
    meaning: "The URL leads to another database than the one that has had the app's migrations, or to another app's.",
    hint: "Correct the URL. If it is right, set `identity` of the app's `database` to what the message names.",
  },
  MIGRATIONS_INVALID: {
    exitCode: 2,
    meaning: "The folder of migrations cannot go into a bundle: its names, its order or its size.",
    hint: "Name each file like 20260131120000_what_it_does.sql, every version once, all versions with as many digits.",
  },
  MIGRATION_REFUSED: {
    exitCode: 4,
    meaning: "A migration that is still to be run does what the guard-rails refuse.",
    hint: "Change the file as the message says.",
  },
  MIGRATION_BACKUP_MISSING: {
    exitCode: 4,
    meaning: "A migration takes away what cannot be brought back, and there is no fresh backup that was verified.",
    hint: 'Take one (`ikoma backup create`), or write into the file why none is needed: `-- ikoma:allow no-backup reason="…"`.',
  },
  MIGRATION_CHANGED: {
    exitCode: 4,
    meaning: "A migration's file is not what it was when the database ran it.",
    hint: "Put the file back as it was, and write what has to change into a new migration.",
  },
  MIGRATION_OUT_OF_ORDER: {
    exitCode: 4,
    meaning: "A migration that is new comes before one that the database has already.",
    hint: "Give its file a newer version (rename it), so that it comes last.",
  },
  MIGRATION_LOCKED: {
    exitCode: 4,
    meaning: "Another session migrates the same database, or holds what a migration needs.",
    hint: "Wait until it has ended, then deploy again; `migrations.waitSeconds` and `lockSeconds` of the app say how long is waited.",
  },
  MIGRATION_FAILED: {
    exitCode: 4,
    meaning:
      "PostgreSQL refused a statement of a migration; what its file had done was taken back, and no release was changed.",
    hint: "Correct the statement, make the bundle again and deploy it.",
  },
  MIGRATION_INCOMPATIBLE: {
    exitCode: 4,
    meaning: "A release cannot live with what its database has become since.",
    hint: "Deploy a bundle that has these migrations: `ikoma deploy apply --bundle REF`; or restore a backup of the database.",
  },
  BACKUP_FAILED: {
    exitCode: 4,
    meaning: "A backup of a database could not be taken; what had been written of it is removed.",
    hint: "Read what the database said above; nothing of the app was changed.",
  },
  BACKUP_UNVERIFIED: {
    exitCode: 4,
    meaning: "A backup is not proven to be of use: a check of it failed, or could not be run.",
    hint: "Take another one with `ikoma backup create`; if that fails in the same way, read what the check said.",
  },
  BACKUP_NOT_FOUND: {
    exitCode: 2,
    meaning: "The host has no backup of that id.",
    hint: "See `ikoma backup list`.",
  },
  RESTORE_REFUSED: {
    exitCode: 4,
    meaning: "The backup cannot be put into that database; nothing was changed.",
    hint: "Do what the message says, or restore another backup.",
  },
  RESTORE_FAILED: {
    exitCode: 4,
    meaning: "A backup could not be restored; the database that was there still serves.",
    hint: "Read what the database said above; `ikoma backup verify` says whether it is the backup.",
  },
  SUPABASE_UNREACHABLE: {
    exitCode: 4,
    meaning: "A Supabase, or its Management API, does not answer, is asked too often, or is none.",
    hint: "Check the address and https://status.supabase.com, then run again; what was set already is not set twice.",
  },
  SUPABASE_AUTH: {
    exitCode: 3,
    meaning: "Supabase does not take an access token or a key, or it may not do what is asked.",
    hint: "Set a token or key that may, in `ikoma:secrets` of the app.",
  },
  SUPABASE_KEY_INVALID: {
    exitCode: 3,
    meaning: "The address, the project's ref and the keys of a Supabase do not belong together, or a key has ended.",
    hint: "Take address and keys from the project's dashboard (API keys), and correct the settings.",
  },
  SUPABASE_REFUSED: {
    exitCode: 4,
    meaning: "Supabase refuses a setting, or does not keep it.",
    hint: "Correct the setting that is named; see what Supabase's documentation says of it.",
  },
  SUPABASE_UNAVAILABLE: {
    exitCode: 4,
    meaning: "The Supabase project is not there, is paused, or did not become healthy.",
    hint: "See Supabase's dashboard, then run this again.",
  },
  VOLUME_IN_USE: {
    exitCode: 4,
    meaning:
      "A volume that the app is to have is another app's on the same host; two databases on it would destroy it.",
    hint: "Give it another `name` in the compose file, or none: each app has its own then. One that is to be shared is declared `external`.",
  },
  VOLUME_MISSING: {
    exitCode: 4,
    meaning: "A volume that held data is gone from the host; nothing puts an empty one in its place unasked.",
    hint: "Restore the volume from a backup, or begin with an empty one: `ikoma deploy apply --recreate-volume NAME`.",
  },
  IMAGE_PULL_FAILED: {
    exitCode: 4,
    meaning: "The server cannot pull an image.",
    hint: "Check that the host can reach the registry and is logged in: `ikoma host bootstrap`.",
  },
  IMAGE_PLATFORM: {
    exitCode: 4,
    meaning: "An image is built for another processor or system than the server's.",
    hint: "Build the image for the host's platform (docker buildx build --platform …).",
  },
  DISK_FULL: {
    exitCode: 4,
    meaning: "The server has too little free disk for the images of the release, or for a backup.",
    hint: "Free space on the host.",
  },
  EDGE_FAILED: {
    exitCode: 4,
    meaning: "The edge (HAProxy) does not run, or does not do what it was told.",
    hint: "See `ikoma host status` and the log of the container ikoma-edge.",
  },
  NETWORKS_EXHAUSTED: {
    exitCode: 4,
    meaning: "All networks of the host's pool are in use.",
    hint: "Enlarge `networkPool` of the host, or remove an app.",
  },
  SUPABASE_SETTINGS_UNSAFE: {
    exitCode: 2,
    meaning: "A self-hosted Supabase would run with secrets that are known or do not fit, or for another address.",
    hint: "Take the named secrets out of the stack's file and have `ikoma supabase keys` make them; correct the named addresses.",
  },
  SUPABASE_UNHEALTHY: {
    exitCode: 4,
    meaning: "Parts of a self-hosted Supabase do not answer through its gateway.",
    hint: "See the log of the named services on the host; `ikoma drift` looks again.",
  },
  JOURNAL_NEWER: {
    exitCode: 4,
    meaning: "The server's journal was written by a newer agent than the one that was started.",
    hint: "Install the newer agent again: `ikoma host bootstrap`.",
  },
} as const satisfies Record<string, { exitCode: number; meaning: string; hint: string }>;

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
