import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { runInContainer } from "../engine/container-process.ts";
import { EngineRefusal } from "../engine/engine-api.ts";
import { findAccessoryDatabase } from "../database/accessory-database.ts";
import type { ServerInContainer } from "../database/psql.ts";
import type { Host } from "../host.ts";
import type { BackupManifest } from "./backup-manifest.ts";

/** On the throwaway servers only, with the backup's id: what is left of one is found by it. */
export const throwawayLabel = "dev.ikoma.backup";

/** Where it finds the backup's folder. */
const mounted = "/ikoma-backup";
const superuser = "ikoma_verify";
/** The final server listens there; the one that initialises the image's folder does not. */
const address = "127.0.0.1";
const startDeadlineMs = 120_000;
const pollMs = 100;

const createdContainer = z.object({ Id: z.string() });

/**
 * A PostgreSQL server of the image that the backup was taken from, without any network, which has the backup's folder to
 * read and a volume of its own: whatever happens in it touches nothing of the app. Removed with its volume by
 * {@link ThrowawayServer.remove}; what an agent that died has left, by {@link removeThrowaways}.
 */
export class ThrowawayServer {
  /** Its id. */
  readonly container: string;
  readonly #host: Host;
  readonly #signal: AbortSignal;

  private constructor(host: Host, id: string, signal: AbortSignal) {
    this.#host = host;
    this.container = id;
    this.#signal = signal;
  }

  static async start(host: Host, backup: BackupManifest, signal: AbortSignal): Promise<ThrowawayServer> {
    const name = `ikoma-verify-${backup.id.toLowerCase()}`;
    await removeContainer(host, name);
    const { Id } = await host.engine.json(createdContainer, {
      method: "POST",
      path: `/containers/create?name=${name}`,
      body: containerOf(backup, await imageFor(host, backup), host.backups.folder(backup.app, backup.id)),
    });
    const server = new ThrowawayServer(host, Id, signal);
    try {
      await host.containers.start(Id);
      return server;
    } catch (error) {
      await server.remove();
      throw error;
    }
  }

  /** How to reach a database of it. */
  server(database: string): ServerInContainer {
    return { container: this.container, user: superuser, database, address, applicationName: "ikoma-verify" };
  }

  /** Where the backup's files are, for its programs. */
  path(file: string): string {
    return `${mounted}/${file}`;
  }

  /** Resolves once it takes connections. Throws with its last lines where it does not come up. */
  async ready(): Promise<void> {
    const command = ["pg_isready", "--host", address, "--username", superuser];
    const giveUpAtMs = performance.now() + startDeadlineMs;
    while (performance.now() < giveUpAtMs) {
      this.#signal.throwIfAborted();
      const { State } = (await this.#host.containers.inspect(this.container)) ?? { State: { Running: false } };
      if (!State.Running) break;
      const { code } = await runInContainer(this.#host, { container: this.container, command }, this.#signal);
      if (code === 0) return;
      await sleep(pollMs);
    }
    const lines = await this.#host.containers.lastLines(this.container, 5).catch(() => []);
    throw new Error(`the throwaway server did not come up: ${lines.join("; ")}`);
  }

  async remove(): Promise<void> {
    await removeContainer(this.#host, this.container);
  }
}

/** Removes every throwaway server of the host, or those of some backups only. */
export async function removeThrowaways(host: Host, isLeft: (id: string) => boolean = () => true): Promise<void> {
  const found = await host.containers.listWith(throwawayLabel);
  const left = found.filter(({ labels }) => isLeft(labels[throwawayLabel] ?? ""));
  for (const { id } of left) await removeContainer(host, id);
}

async function removeContainer(host: Host, idOrName: string): Promise<void> {
  try {
    await host.engine.raw({ method: "DELETE", path: `/containers/${idOrName}?force=true&v=true`, timeoutMs: 120_000 });
  } catch (error) {
    // Gone already, or just being removed.
    if (!(error instanceof EngineRefusal) || ![404, 409].includes(error.status)) throw error;
  }
}

/** The very image, or, where an upgrade has replaced it, what the database runs from now. */
async function imageFor(host: Host, backup: BackupManifest): Promise<string> {
  if ((await host.images.inspect(backup.image.id)) !== undefined) return backup.image.id;
  return (await findAccessoryDatabase(host, backup.app, backup.service)).imageId;
}

function containerOf(backup: BackupManifest, image: string, folder: string): object {
  const settings = {
    // Its data is thrown away: nothing has to survive anything.
    fsync: "off",
    full_page_writes: "off",
    synchronous_commit: "off",
    autovacuum: "off",
    ...(backup.preload !== "" && { shared_preload_libraries: backup.preload }),
  };
  return {
    Image: image,
    Cmd: ["postgres", ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    Env: [
      `POSTGRES_USER=${superuser}`,
      "POSTGRES_DB=postgres",
      // It has no network, and nobody else is in it.
      "POSTGRES_HOST_AUTH_METHOD=trust",
      "POSTGRES_INITDB_ARGS=--no-sync",
    ],
    Labels: { [throwawayLabel]: backup.id },
    HostConfig: {
      NetworkMode: "none",
      Binds: [`${folder}:${mounted}:ro`],
      RestartPolicy: { Name: "no" },
      // Behind the app, wherever both want the processor.
      CpuShares: 128,
      ShmSize: 256 * 1024 * 1024,
    },
  };
}
