import { chmod, chown, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ServiceFile, ServiceSpec } from "../../core/release/release-spec.ts";
import type { Vault } from "../ledger/vault.ts";
import type { Drift } from "../protocol/views.ts";
import type { Container } from "./containers.ts";

type Services = Readonly<Record<string, ServiceSpec>>;

/** A mount, as a compose file has it in the long form. */
export interface FileMount {
  readonly type: "bind";
  readonly source: string;
  readonly target: string;
  readonly read_only: true;
  readonly bind: { readonly create_host_path: false };
}

/** Hex digits of a keyed digest that name a file. */
const nameLength = 32;

/**
 * Secrets and configurations that containers find as files. They are on the host's disk, because Docker starts
 * containers again after a reboot without asking anybody; in a folder that only root enters, whatever a file's own mode
 * says to the container's users. Named by a keyed digest of all that they are: another content is another mount, for
 * which compose recreates the container.
 */
export class MountedFiles {
  readonly #folder: string;
  readonly #vault: Vault;

  constructor(folder: string, vault: Vault) {
    this.#folder = folder;
    this.#vault = vault;
  }

  /** What a container of the service mounts. */
  mountsOf(project: string, { files = {} }: ServiceSpec): FileMount[] {
    return Object.entries(files).map(([target, file]) => ({
      type: "bind",
      source: this.#pathOf(project, file),
      target,
      read_only: true,
      bind: { create_host_path: false },
    }));
  }

  /** Writes what is not there as it should be; on disk for certain when this resolves. */
  async provide(project: string, services: Services): Promise<void> {
    for (const file of allFiles(services)) {
      const path = this.#pathOf(project, file);
      if (await isAsWanted(path, file)) continue;
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await write(path, file);
    }
  }

  /** Removes the files of the project that none of these services has. */
  async keepOnly(project: string, services: Services): Promise<void> {
    const kept = new Set(allFiles(services).map((file) => this.#pathOf(project, file)));
    const folder = join(this.#folder, project);
    const names = await readdir(folder).catch(() => []);
    const dropped = names.map((name) => join(folder, name)).filter((path) => !kept.has(path));
    await Promise.all(dropped.map((path) => rm(path)));
  }

  /** Removes all files of a project. */
  remove(project: string): Promise<void> {
    return rm(join(this.#folder, project), { recursive: true, force: true });
  }

  /** Files that are not on the host as they should be, or that the container does not mount; paths count from the service. */
  async drift(project: string, wanted: ServiceSpec, container: Container): Promise<Drift[]> {
    const mounted = new Map(container.Mounts.map(({ Source, Destination }) => [Destination, Source]));
    const entries = Object.entries(wanted.files ?? {}).map(async ([target, file]): Promise<Drift[]> => {
      const source = this.#pathOf(project, file);
      const at = `files[${JSON.stringify(target)}]`;
      if (mounted.get(target) !== source) return [{ path: at, message: `${target} has another content` }];
      if (await isAsWanted(source, file)) return [];
      return [{ path: at, message: `${target} was altered or removed on the host` }];
    });
    return (await Promise.all(entries)).flat();
  }

  #pathOf(project: string, file: ServiceFile): string {
    return join(this.#folder, project, this.#vault.keyedDigest(file).slice(0, nameLength));
  }
}

function allFiles(services: Services): ServiceFile[] {
  return Object.values(services).flatMap(({ files = {} }) => Object.values(files));
}

async function isAsWanted(path: string, { content, mode, uid = 0, gid = 0 }: ServiceFile): Promise<boolean> {
  try {
    const found = await stat(path);
    const sameAccess = (found.mode & 0o777) === Number.parseInt(mode, 8) && found.uid === uid && found.gid === gid;
    return sameAccess && (await readFile(path, "utf8")) === content;
  } catch {
    return false;
  }
}

async function write(path: string, { content, mode, uid = 0, gid = 0 }: ServiceFile): Promise<void> {
  const isThere = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  // One that is there is mounted already: a new file of its name would not be what the container sees.
  const written = isThere ? path : `${path}.new`;
  const file = await open(written, "w", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await chown(written, uid, gid);
  await chmod(written, Number.parseInt(mode, 8));
  if (isThere) return;
  await rename(written, path);
  const folder = await open(dirname(path), "r");
  await folder.sync();
  await folder.close();
}
