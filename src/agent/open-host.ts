import type { Logger } from "pino";
import { BackupStore } from "./backups/backup-store.ts";
import { ScheduledRuns } from "./backups/scheduled-runs.ts";
import type { Edge } from "./edge/edge.ts";
import { Approvals } from "./approvals.ts";
import { Compose } from "./engine/compose.ts";
import { Containers } from "./engine/containers.ts";
import { EngineApi } from "./engine/engine-api.ts";
import { hostRoutes } from "./host-routes.ts";
import { Images } from "./engine/images.ts";
import { MountedFiles } from "./engine/mounted-files.ts";
import { Networks } from "./engine/networks.ts";
import { Volumes } from "./engine/volumes.ts";
import type { Host } from "./host.ts";
import { AppRecords } from "./ledger/app-records.ts";
import { Deployments } from "./ledger/deployments.ts";
import { ImageUse } from "./ledger/image-use.ts";
import { Journal } from "./ledger/journal.ts";
import { KnownVolumes } from "./ledger/known-volumes.ts";
import { openLedger } from "./ledger/open-ledger.ts";
import { Outbox } from "./ledger/outbox.ts";
import { Parts } from "./ledger/parts.ts";
import { Subnets } from "./ledger/subnets.ts";
import { Vault } from "./ledger/vault.ts";
import { Repairs } from "./repairs.ts";
import type { AgentPaths, AgentSettings } from "./settings.ts";

/** What a host is made of that is not the same everywhere. */
export interface HostParts {
  readonly paths: AgentPaths;
  readonly settings: AgentSettings;
  readonly log: Logger;
  readonly edge: Edge;
  /** @default the engine's usual socket */
  readonly engine?: EngineApi;
  /** @default the compose that is on PATH */
  readonly compose?: Compose;
}

/** A host whose ledger is open until `close`. */
export interface OpenedHost {
  readonly host: Host;
  /** Closes the ledger; the host is of no use after it. */
  readonly close: () => void;
}

/** Opens the ledger, bringing its schema up to date, and puts everything together that operations work with. */
export function openHost({
  paths,
  settings,
  log,
  edge,
  engine = new EngineApi(),
  compose = new Compose(),
}: HostParts): OpenedHost {
  const vault = Vault.open(paths.key);
  const repairs = new Repairs();
  const database = openLedger(paths.database, vault, { log, repairs });
  const outbox = settings.api === undefined ? undefined : new Outbox(database);
  const host: Host = {
    settings,
    paths,
    log,
    engine,
    compose,
    edge,
    vault,
    containers: new Containers(engine),
    networks: new Networks(engine),
    images: new Images(engine, paths.dockerConfig),
    volumes: new Volumes(engine),
    files: new MountedFiles(paths.files, vault),
    deployments: new Deployments(database, vault),
    journal: new Journal(database, outbox),
    outbox,
    parts: new Parts(database, vault),
    subnets: new Subnets(database, settings.networkPool, hostRoutes),
    imageUse: new ImageUse(database),
    knownVolumes: new KnownVolumes(database),
    approvals: new Approvals(paths.approvals),
    records: new AppRecords(paths.releases, database, vault, log),
    backups: new BackupStore(paths.backups),
    scheduledRuns: new ScheduledRuns(),
    offsiteRuns: new ScheduledRuns(),
    repairs,
    underway: new Set(),
    standingDown: new Map(),
    prepared: new Map(),
    retiring: new Map(),
  };
  return {
    host,
    close: () => {
      database.close();
    },
  };
}
