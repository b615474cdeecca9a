import { chmod } from "node:fs/promises";
import { reaches } from "../../core/backup/backup-policy.ts";
import type { BackupLevel } from "../../core/backup/backup-policy.ts";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import { findAccessoryDatabase } from "../database/accessory-database.ts";
import type { AccessoryDatabase } from "../database/accessory-database.ts";
import {
  countStatements,
  factsStatement,
  lockStatements,
  parseFacts,
  parseTables,
  tablesStatement,
  withCounts,
} from "../database/database-facts.ts";
import type { DatabaseFacts } from "../database/database-facts.ts";
import { migrationHead } from "../database/migration-head.ts";
import { ask, DatabaseFailure, databaseCommand, PsqlSession, whenReady } from "../database/psql.ts";
import { ContainerProcess } from "../engine/container-process.ts";
import type { Host } from "../host.ts";
import type { BackupManifest, StoredFile, TableRows } from "./backup-manifest.ts";
import { serverOf } from "./backup-task.ts";
import type { BackupTask } from "./backup-task.ts";
import { writeStream } from "./file-hash.ts";
import { expectedDumpBytes, freeBytesAt, freeBytesOfVolumes, requireRoom } from "./free-space.ts";

/** What is to be backed up, and why. */
export interface BackupWanted {
  readonly app: string;
  /** The only PostgreSQL of the app where none is named. */
  readonly service?: string | undefined;
  /** For people: what it was taken for. */
  readonly reason: string;
  /** Why no rule may delete it. */
  readonly pin?: string | undefined;
  /** How far it is to be verified. */
  readonly level: BackupLevel;
}

/**
 * Takes a backup of an app's database as it stands at one moment, and proves nothing yet. It has its name only when all
 * of it is on disk; whatever goes wrong before leaves nothing that counts.
 *
 * @throws BACKUP_FAILED, DISK_FULL
 */
export async function takeBackup(host: Host, wanted: BackupWanted, task: BackupTask): Promise<BackupManifest> {
  const database = await findAccessoryDatabase(host, wanted.app, wanted.service);
  const startedAtMs = Date.now();
  const id = await host.backups.begin(wanted.app, startedAtMs);
  try {
    await task.enter("dumping");
    await whenReady(host, serverOf(database, id), task.signal);
    const content = await dumpAtOneMoment(host, wanted, id, database, task);
    await task.enter("recording");
    const manifest = await manifestOf(host, { wanted, id, startedAtMs, database, content });
    await host.backups.commit(manifest);
    task.step("dump", `${id}: ${content.dump.bytes} bytes, ${content.tables.length} tables`);
    return manifest;
  } catch (error) {
    await endConnections(host, database, id);
    await host.backups.abandon(wanted.app, id);
    throw failure(wanted.app, database, error, task.signal);
  }
}

/** For as long as the largest dump takes, and with rows that a policy would hide refused, not left out. */
const beginSnapshot = [
  "SET row_security = off",
  "SET idle_in_transaction_session_timeout = 0",
  "SET lock_timeout = '60s'",
  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
];

interface DumpedContent {
  readonly facts: DatabaseFacts;
  readonly takenAtMs: number;
  readonly dump: StoredFile;
  readonly roles: StoredFile;
  readonly tables: readonly TableRows[];
  readonly head: string | undefined;
}

/** The dump, the counts and the head of the migrations see the same snapshot, which a session holds open meanwhile. */
async function dumpAtOneMoment(
  host: Host,
  { app, level }: BackupWanted,
  id: string,
  database: AccessoryDatabase,
  task: BackupTask,
): Promise<DumpedContent> {
  const server = serverOf(database, id);
  const session = await PsqlSession.open(host, server, task.signal);
  try {
    const [line = ""] = await session.ask([factsStatement]);
    const facts = parseFacts(line);
    await requireRoomForDump(host, app, database, facts);
    if (reaches(level, "restore")) await requireRoomForRestore(host, app, database, facts, task.signal);
    const takenAtMs = Date.now();
    const [snapshot = ""] = await session.ask([...beginSnapshot, "SELECT pg_export_snapshot()"]);
    const tables = parseTables(await session.ask([tablesStatement]));
    // Until the counts are taken: a table that is emptied or dropped meanwhile shows so in every snapshot.
    await session.ask(lockStatements(tables));
    const path = host.backups.unfinishedPath(app, id, "dump");
    const command = [
      "pg_dump",
      "--format=custom",
      "--no-password",
      "--lock-wait-timeout=60s",
      `--snapshot=${snapshot}`,
    ];
    const dump = await writeOutput(host, databaseCommand(server, command), path, task.signal);
    const counts = withCounts(tables, await session.ask(countStatements(tables)));
    const head = await migrationHead((statements) => session.ask(statements));
    const roles = await dumpRoles(host, app, id, database, task);
    return { facts, takenAtMs, dump, roles, tables: counts, head };
  } finally {
    session.close();
  }
}

/** Without passwords: their hashes are secrets, and the app's own comes from its settings (docs/adr/0016). */
function dumpRoles(
  host: Host,
  app: string,
  id: string,
  database: AccessoryDatabase,
  task: BackupTask,
): Promise<StoredFile> {
  const command = [
    "pg_dumpall",
    "--roles-only",
    "--no-role-passwords",
    "--no-password",
    `--database=${database.database}`,
  ];
  const path = host.backups.unfinishedPath(app, id, "roles");
  return writeOutput(host, databaseCommand(serverOf(database, id), command), path, task.signal);
}

/** Straight to disk as it comes; the exit code of the program itself decides whether it is whole. */
async function writeOutput(
  host: Host,
  command: ReturnType<typeof databaseCommand>,
  path: string,
  signal: AbortSignal,
): Promise<StoredFile> {
  const running = await ContainerProcess.start(host, command, signal);
  try {
    const written = await writeStream(path, running.output());
    const code = await running.exitCode();
    const [program = ""] = command.command;
    if (code !== 0) throw new DatabaseFailure(`${program} ended with exit code ${code}`, running.errors);
    await chmod(path, 0o600);
    return written;
  } finally {
    running.close();
  }
}

async function requireRoomForDump(
  host: Host,
  app: string,
  { service }: AccessoryDatabase,
  { bytes }: DatabaseFacts,
): Promise<void> {
  const last = (await host.backups.list(app)).findLast((each) => each.service === service);
  requireRoom({
    what: `The backup of ${app}`,
    neededBytes: expectedDumpBytes(
      bytes,
      last && { dumpBytes: last.files.dump.bytes, databaseBytes: last.databaseBytes },
    ),
    freeBytes: await freeBytesAt(host.paths.root),
  });
}

/** It would be taken, and could not be proven. */
async function requireRoomForRestore(
  host: Host,
  app: string,
  { containerId }: AccessoryDatabase,
  { bytes }: DatabaseFacts,
  signal: AbortSignal,
): Promise<void> {
  requireRoom({
    what: `Verifying the backup of ${app}`,
    neededBytes: bytes,
    freeBytes: await freeBytesOfVolumes(host, containerId, signal),
  });
}

async function manifestOf(
  host: Host,
  {
    wanted,
    id,
    startedAtMs,
    database,
    content,
  }: {
    wanted: BackupWanted;
    id: string;
    startedAtMs: number;
    database: AccessoryDatabase;
    content: DumpedContent;
  },
): Promise<BackupManifest> {
  const { facts, takenAtMs, dump, roles, tables, head } = content;
  const container = await host.containers.inspect(database.containerId);
  const deployment = host.deployments.current(wanted.app)?.number;
  return {
    format: 1,
    id,
    app: wanted.app,
    service: database.service,
    database: database.database,
    reason: wanted.reason,
    ...(wanted.pin !== undefined && { pin: wanted.pin }),
    startedAtMs,
    takenAtMs,
    endedAtMs: Date.now(),
    server: { version: facts.version, major: facts.major },
    image: { reference: container?.Config.Image ?? "", id: database.imageId },
    locale: facts.locale,
    preload: facts.preload,
    databaseBytes: facts.bytes,
    ...(deployment !== undefined && { deployment }),
    ...(head !== undefined && { migrationHead: head }),
    files: { dump, roles },
    tables: [...tables],
  };
}

/** A dump that nobody reads any more would go on inside the container. */
async function endConnections(host: Host, database: AccessoryDatabase, id: string): Promise<void> {
  const server = serverOf(database, id);
  const statement = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${server.applicationName}' AND pid <> pg_backend_pid()`;
  await ask(host, server, [statement], AbortSignal.timeout(10_000)).catch(() => undefined);
}

function failure(app: string, { service }: AccessoryDatabase, thrown: unknown, signal: AbortSignal): IkomaError {
  if (signal.aborted || thrown instanceof IkomaError) return toIkomaError(thrown);
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const isFull = thrown instanceof Error && "code" in thrown && thrown.code === "ENOSPC";
  if (isFull)
    return new IkomaError("DISK_FULL", `The disk became full while ${service} of ${app} was backed up.`, {
      cause: thrown,
    });
  return new IkomaError("BACKUP_FAILED", `No backup of ${service} of ${app} could be taken: ${reason}`, {
    cause: thrown,
  });
}
