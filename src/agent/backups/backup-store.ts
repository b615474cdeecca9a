import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { backupId } from "../../core/backup/backup-policy.ts";
import { IkomaError } from "../../core/errors.ts";
import { syncToDisk, writeDurably } from "../durable-file.ts";
import { backupFiles, backupManifest } from "./backup-manifest.ts";
import type { BackupFileName } from "../protocol/backup-views.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { sha256Of } from "./file-hash.ts";

const unfinished = ".partial";
const deleting = ".deleting";
/** Names of a backup's files in its folder. */
export const fileNames: Readonly<Record<BackupFileName, string>> = {
  dump: "database.dump",
  roles: "roles.sql",
  manifest: "manifest.json",
};

/**
 * The backups of a host: a folder an app (0700), in it a folder a backup. One that is being made is in a folder
 * `<id>.partial` and has its own name only once all of it is on disk, so that half a backup never counts.
 */
export class BackupStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folder of a new backup, under its name for unfinished ones. */
  async begin(app: string, atMs: number): Promise<string> {
    const id = newBackupId(atMs);
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    await chmod(this.#root, 0o700);
    await mkdir(join(this.#root, app), { recursive: true, mode: 0o700 });
    await mkdir(`${this.folder(app, id)}${unfinished}`, { mode: 0o700 });
    return id;
  }

  /** Makes the folder of a backup that is brought here, where there is neither it nor the backup yet. */
  async beginImport(app: string, id: string): Promise<void> {
    if ((await this.#read(app, id)) !== undefined)
      throw new IkomaError("USAGE", `The backup ${id} of ${app} is on this host already.`);
    await mkdir(join(this.#root, app), { recursive: true, mode: 0o700 });
    await mkdir(`${this.folder(app, id)}${unfinished}`, { recursive: true, mode: 0o700 });
  }

  /** Where a file of a backup is written that is not finished yet. */
  unfinishedPath(app: string, id: string, file: BackupFileName): string {
    return join(`${this.folder(app, id)}${unfinished}`, fileNames[file]);
  }

  path(app: string, id: string, file: BackupFileName): string {
    return join(this.folder(app, id), fileNames[file]);
  }

  folder(app: string, id: string): string {
    return join(this.#root, app, backupId.parse(id));
  }

  /** Where something of a backup may be put that is not to stay. */
  temporaryPath(app: string, id: string): string {
    return `${this.folder(app, id)}.age${unfinished}`;
  }

  /** Where a restore of the app that is under way is noted down. */
  restorePath(app: string): string {
    return join(this.#root, app, "restore.json");
  }

  /** Finishes a backup whose files are written: on disk, and there, when this resolves. */
  async commit(manifest: BackupManifest): Promise<void> {
    const folder = this.folder(manifest.app, manifest.id);
    const made = `${folder}${unfinished}`;
    for (const file of backupFiles) syncToDisk(join(made, fileNames[file]));
    await writeDurably(join(made, fileNames.manifest), textOf(manifest));
    await rename(made, folder);
    syncToDisk(join(this.#root, manifest.app));
  }

  /** Removes what a backup that came to nothing has left. */
  async abandon(app: string, id: string): Promise<void> {
    await rm(`${this.folder(app, id)}${unfinished}`, { recursive: true, force: true });
  }

  /** The backups of an app, the oldest first. What has no manifest that can be read is left out: see {@link unreadable}. */
  async list(app: string): Promise<BackupManifest[]> {
    const ids = await this.#ids(app);
    const found = await Promise.all(ids.map((id) => this.#read(app, id)));
    return found.filter((each) => each !== undefined).sort((a, b) => a.takenAtMs - b.takenAtMs);
  }

  /** Backups whose manifest is gone or cannot be read. */
  async unreadable(app: string): Promise<string[]> {
    const ids = await this.#ids(app);
    const found = await Promise.all(ids.map(async (id) => ((await this.#read(app, id)) === undefined ? [id] : [])));
    return found.flat();
  }

  /** @throws BACKUP_NOT_FOUND */
  async get(app: string, id: string): Promise<BackupManifest> {
    const found = backupId.safeParse(id).success ? await this.#read(app, id) : undefined;
    if (found !== undefined) return found;
    throw new IkomaError("BACKUP_NOT_FOUND", `${app} has no backup ${id} on this host.`);
  }

  /** Writes down what has become known of a backup. */
  async update(manifest: BackupManifest): Promise<void> {
    await writeDurably(join(this.folder(manifest.app, manifest.id), fileNames.manifest), textOf(manifest));
  }

  /** Deletes a backup. From the first moment on it is none any more, also where the rest is cut off. */
  async remove(app: string, id: string): Promise<void> {
    const folder = this.folder(app, id);
    await rename(folder, `${folder}${deleting}`);
    await rm(`${folder}${deleting}`, { recursive: true, force: true });
  }

  /** What is wrong with the files of a backup; undefined where they are as they were written. Reads only what was touched. */
  async fault(manifest: BackupManifest, { readAll = false } = {}): Promise<string | undefined> {
    for (const file of backupFiles) {
      const path = this.path(manifest.app, manifest.id, file);
      const wanted = manifest.files[file];
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) return `${fileNames[file]} is missing`;
      if (found.size !== wanted.bytes)
        return `${fileNames[file]} has ${found.size} bytes, and was written with ${wanted.bytes}`;
      const isTouched = readAll || found.mtimeMs !== wanted.modifiedMs;
      if (isTouched && (await sha256Of(path)) !== wanted.sha256)
        return `${fileNames[file]} was altered: its checksum is another`;
    }
    return undefined;
  }

  /** Apps that have a folder here. */
  async apps(): Promise<string[]> {
    return readdir(this.#root).catch(() => []);
  }

  /** Removes what is left of backups that were never finished or are being deleted; nothing may be at work on the app. */
  async sweep(app: string): Promise<string[]> {
    const names = await readdir(join(this.#root, app)).catch(() => []);
    const left = names.filter((name) => name.endsWith(unfinished) || name.endsWith(deleting));
    for (const name of left) await rm(join(this.#root, app, name), { recursive: true, force: true });
    return left;
  }

  async #ids(app: string): Promise<string[]> {
    const names = await readdir(join(this.#root, app)).catch(() => []);
    return names.filter((name) => backupId.safeParse(name).success).sort();
  }

  async #read(app: string, id: string): Promise<BackupManifest | undefined> {
    try {
      return backupManifest.parse(JSON.parse(await readFile(join(this.folder(app, id), fileNames.manifest), "utf8")));
    } catch {
      return undefined;
    }
  }
}

/** By the host's clock, in UTC, so that names sort as the backups were taken. */
function newBackupId(atMs: number): string {
  const moment = new Date(atMs).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  return `${moment}-${randomBytes(3).toString("hex")}`;
}

function textOf(manifest: BackupManifest): string {
  return `${JSON.stringify(manifest, undefined, 1)}\n`;
}
