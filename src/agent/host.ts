import type { Logger } from "pino";
import type { ReleaseSpec } from "../core/release/release-spec.ts";
import type { BackupStore } from "./backups/backup-store.ts";
import type { ScheduledRuns } from "./backups/scheduled-runs.ts";
import type { Compose } from "./engine/compose.ts";
import type { Containers } from "./engine/containers.ts";
import type { EngineApi } from "./engine/engine-api.ts";
import type { Images } from "./engine/images.ts";
import type { MountedFiles } from "./engine/mounted-files.ts";
import type { Networks } from "./engine/networks.ts";
import type { Volumes } from "./engine/volumes.ts";
import type { Approvals } from "./approvals.ts";
import type { Edge } from "./edge/edge.ts";
import type { AppRecords } from "./ledger/app-records.ts";
import type { Deployments } from "./ledger/deployments.ts";
import type { ImageUse } from "./ledger/image-use.ts";
import type { Journal } from "./ledger/journal.ts";
import type { KnownVolumes } from "./ledger/known-volumes.ts";
import type { Outbox } from "./ledger/outbox.ts";
import type { Parts } from "./ledger/parts.ts";
import type { Subnets } from "./ledger/subnets.ts";
import type { Vault } from "./ledger/vault.ts";
import type { Repairs } from "./repairs.ts";
import type { AgentPaths, AgentSettings } from "./settings.ts";

/** Everything that an operation works with: the engine, the edge, the ledger. */
export interface Host {
  settings: AgentSettings;
  paths: AgentPaths;
  log: Logger;
  engine: EngineApi;
  containers: Containers;
  networks: Networks;
  images: Images;
  volumes: Volumes;
  files: MountedFiles;
  compose: Compose;
  edge: Edge;
  vault: Vault;
  deployments: Deployments;
  journal: Journal;
  /** What the API has not got yet; undefined without one. */
  outbox: Outbox | undefined;
  parts: Parts;
  subnets: Subnets;
  imageUse: ImageUse;
  knownVolumes: KnownVolumes;
  records: AppRecords;
  approvals: Approvals;
  backups: BackupStore;
  /** Backups that the host takes by itself. */
  scheduledRuns: ScheduledRuns;
  /** Copies of backups that go elsewhere. */
  offsiteRuns: ScheduledRuns;
  /** Deployments (`app/number`) that an operation is bringing up: not to be cleaned away. */
  underway: Set<string>;
  /** By app: the release whose backends the edge was asked for and that it is about to be switched to. */
  prepared: Map<string, ReleaseSpec>;
  /**
   * Apps of whose current release something was stopped for the one that is coming, and must run again if that goes;
   * since when, as `performance.now()` says it.
   */
  standingDown: Map<string, number>;
  /** What the agent put right by itself. */
  repairs: Repairs;
  /** Clean-ups under way, by `app/number`. */
  retiring: Map<string, Promise<void>>;
}

/** What a running operation can tell and must heed. */
export interface OperationContext {
  key: string;
  /** Who asked for it. */
  by: string;
  signal: AbortSignal;
  /** Puts the phase on disk before anything of it is done. */
  enter: (phase: string) => Promise<void>;
  /** Something worth telling a waiting person. */
  step: (name: string, message: string) => void;
  /** As a step, but something that a person should look into. */
  warn: (name: string, message: string) => void;
  /** A line that a container wrote. */
  log: (service: string, line: string) => void;
  /** Takes secret values out of a text that will leave the host. */
  redact: (text: string) => string;
}
