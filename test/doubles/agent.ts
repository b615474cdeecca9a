import { createHash } from "node:crypto";
import type { BackupView } from "../../src/agent/protocol/backup-views.ts";
import type { Method, Params, Result } from "../../src/agent/protocol/methods.ts";
import type { OperationKind, OperationResult, Part } from "../../src/agent/protocol/operations.ts";
import type { Drift } from "../../src/agent/protocol/views.ts";
import type { OperationEvent, WireError } from "../../src/agent/protocol/wire.ts";
import { operations } from "../../src/agent/protocol/operations.ts";
import { releasePhases } from "../../src/agent/protocol/phases.ts";
import { protocolVersion } from "../../src/agent/protocol/wire.ts";
import { canonicalJson } from "../../src/core/canonical-json.ts";
import type { HostConfig, HostSetup, HostWay } from "../../src/core/config/schema.ts";
import { IkomaError } from "../../src/core/errors.ts";
import type { OperationOutcome, OperationRequest } from "../../src/core/transport/agent-client.ts";
import type { AgentAccess, HostAccess } from "../../src/provider/hosts/agent-access.ts";

/**
 * Stands for the agent of one host: same requests, same answers, apps in memory. It keeps what the engine's tests
 * depend on (generations, compare-and-swap, keys, drift, adoption) and nothing of containers; the real agent is
 * tried in test/e2e.
 */
export class FakeAgent {
  readonly parts = new Map<string, FakePart>();
  /** Every operation that was started, in order. */
  readonly started: { kind: OperationKind; key: string; input: unknown }[] = [];
  /** Requests of any kind, `part.read` and the like. */
  readonly calls: string[] = [];
  /** Images that it says it needs. */
  readonly needed = new Set<string>();
  /** Why the migrations that it is asked about would be refused. */
  refusal: WireError | undefined;
  installed: HostSetup | undefined = { httpPort: 80, httpsPort: 443, networkPool: "10.210.0.0/16", imageBudgetGb: 10 };
  version = "0.1.0";
  /** The next operation is done, and its answer is lost on the way. */
  losesNextAnswer = false;
  /** How many operations were cancelled. */
  cancelled = 0;
  #failures = new Map<OperationKind, IkomaError>();
  #held = new Map<OperationKind, Promise<void>>();
  #finished = new Map<string, OperationOutcome<OperationKind>>();

  part(app: string, part: Part): FakePart | undefined {
    return this.parts.get(`${app}/${part}`);
  }

  /** The next operation of this kind fails, and the host is as before. */
  failNext(kind: OperationKind, error: IkomaError): void {
    this.#failures.set(kind, error);
  }

  /** The next operation of this kind waits until the returned function is called. */
  hold(kind: OperationKind): () => void {
    let release = (): void => undefined;
    this.#held.set(kind, new Promise((resolve) => (release = resolve)));
    return () => {
      release();
    };
  }

  read(params: Params<"part.read">): Result<"part.read"> {
    const found = this.part(params.app, params.part);
    const generation = this.generation(params.app, params.part);
    const refusal = this.refusal && { migrations: { applied: [], pending: [], staying: [], refusal: this.refusal } };
    if (found?.exists !== true) return { exists: false, generation, drift: [], services: {}, ...refusal };
    const { drift, number, digest, unread } = found;
    return {
      exists: true,
      generation,
      drift,
      services: {},
      ...(unread !== undefined && { unread }),
      ...refusal,
      ...(number !== undefined && { number }),
      ...(digest !== undefined && { digest }),
    };
  }

  async run<K extends OperationKind>(kind: K, request: OperationRequest<K>): Promise<OperationOutcome<K>> {
    const repeated = this.#finished.get(request.key);
    if (repeated !== undefined) return repeated;
    const input = operations[kind].input.parse(request.input);
    this.started.push({ kind, key: request.key, input });
    tell(request, kind);
    await this.held(kind, request.signal);
    const part = kind.split(".")[0] as Part;
    const app = appOf(input);
    this.refuseStale(app, part, request.expectedGeneration);
    const failure = this.#failures.get(kind);
    this.#failures.delete(kind);
    const generation = this.bump(app, part);
    if (failure !== undefined) throw failure;
    const outcome = { result: this.apply(kind, app, part, input), generation };
    this.#finished.set(request.key, outcome as OperationOutcome<OperationKind>);
    if (this.losesNextAnswer) {
      this.losesNextAnswer = false;
      throw new IkomaError("AGENT_CONNECTION_LOST", "the connection was lost");
    }
    return outcome as OperationOutcome<K>;
  }

  private held(kind: OperationKind, signal: AbortSignal | undefined): Promise<void> {
    const held = this.#held.get(kind);
    this.#held.delete(kind);
    if (held === undefined) return Promise.resolve();
    const cancelled = new Promise<never>((_resolve, reject) => {
      signal?.addEventListener("abort", () => {
        this.cancelled += 1;
        reject(new IkomaError("CANCELLED", "The operation was cancelled."));
      });
    });
    return Promise.race([held, cancelled]);
  }

  private apply(kind: OperationKind, app: string, part: Part, input: unknown): unknown {
    const state = this.state(app, part);
    if (kind.endsWith(".remove")) {
      state.exists = false;
      return {};
    }
    const digest = createHash("sha256")
      .update(canonicalJson(specOf(input)))
      .digest("hex");
    const unchanged = state.exists && state.digest === digest && state.drift.length === 0;
    Object.assign(state, { exists: true, input, digest, drift: [] });
    if (!unchanged) state.number = (state.number ?? 0) + 1;
    return resultOf(kind, state, unchanged);
  }

  private generation(app: string, part: Part): number {
    return this.part(app, part)?.generation ?? 0;
  }

  private bump(app: string, part: Part): number {
    const state = this.state(app, part);
    state.generation += 1;
    return state.generation;
  }

  private state(app: string, part: Part): FakePart {
    const found = this.part(app, part) ?? { exists: false, generation: 0, drift: [], input: undefined };
    this.parts.set(`${app}/${part}`, found);
    return found;
  }

  private refuseStale(app: string, part: Part, expected: number | null): void {
    const generation = this.generation(app, part);
    if (expected === null || expected === generation) return;
    throw new IkomaError("STALE_GENERATION", `The ${part} of ${app} is at generation ${generation}, not ${expected}.`);
  }
}

interface FakePart {
  exists: boolean;
  generation: number;
  drift: Drift[];
  input: unknown;
  unread?: WireError;
  number?: number;
  digest?: string;
}

/**
 * Hosts by address, as the provider reaches them. A host that is not in the map does not answer. `dialled` gets how
 * each connection was made.
 */
export function fakeHosts(agents: Readonly<Record<string, FakeAgent>>, dialled: HostConfig[] = []): HostAccess {
  const agentAt = (host: HostWay): FakeAgent => {
    if (!("address" in host)) throw new Error("these hosts are reached over SSH");
    dialled.push(host);
    const agent = agents[host.address];
    if (agent === undefined) throw new IkomaError("HOST_UNREACHABLE", `${host.address} does not answer.`);
    return agent;
  };
  return {
    openAgent: (host) => Promise.resolve().then(() => connection(agentAt(host))),
    installAgent: (host, setup, onStep) =>
      Promise.resolve().then(() => {
        onStep("starting the agent");
        agentAt(host).installed = setup;
      }),
    removeAgent: (host) =>
      Promise.resolve().then(() => {
        agentAt(host).installed = undefined;
      }),
  };
}

function connection(agent: FakeAgent): AgentAccess {
  return {
    call: <M extends Method>(method: M, params: Params<M>): Promise<Result<M>> => {
      agent.calls.push(method);
      return Promise.resolve().then(() => answer(agent, method, params) as Result<M>);
    },
    runOperation: (kind, request) => agent.run(kind, request),
    close: () => Promise.resolve(),
  };
}

function answer(agent: FakeAgent, method: Method, params: unknown): unknown {
  if (agent.installed === undefined) throw new IkomaError("AGENT_MISSING", "There is no agent on this host.");
  if (method === "part.read") return agent.read(params as Params<"part.read">);
  if (method === "handshake") return handshake(agent);
  if (method === "images.needed") return { images: [...agent.needed] };
  throw new IkomaError("INTERNAL", `the fake agent does not know ${method}`);
}

function handshake(agent: FakeAgent): Result<"handshake"> {
  const apps = [...agent.parts].filter(([, part]) => part.exists).map(([key]) => key.split("/")[0] ?? "");
  return {
    protocol: protocolVersion,
    agentVersion: agent.version,
    engineVersion: "20.10.24",
    composeVersion: "5.6.0",
    edgeVersion: "2.6.12",
    phases: [...releasePhases],
    apps: [...new Set(apps)],
    diskFreeBytes: 1e10,
    clockMs: Date.now(),
    memoryBytes: 5e7,
  };
}

function appOf(input: unknown): string {
  const found = input as { app?: string; spec?: { app: string } };
  return found.spec?.app ?? found.app ?? "";
}

function specOf(input: unknown): unknown {
  return (input as { spec?: unknown }).spec ?? input;
}

function resultOf(kind: OperationKind, state: FakePart, unchanged: boolean): OperationResult<OperationKind> {
  if (kind === "bundle.stage") return { images: [] };
  if (kind === "migration.apply") return { applied: [] };
  if (kind === "migration.command") return { ran: !unchanged };
  if (kind === "accessories.apply") return { unchanged, services: {} };
  if (kind === "release.apply")
    return { number: state.number ?? 1, digest: state.digest ?? "", unchanged, services: {} };
  if (kind === "backup.ensure") return { backup: aBackup, isNew: !unchanged };
  return {};
}

/** What the double says of any backup. */
export const aBackup: BackupView = {
  id: "20261126T030000Z-4f2a1b",
  service: "db",
  database: "shop",
  reason: "a test",
  takenAtMs: Date.parse("2026-11-26T03:00:00Z"),
  bytes: 1000,
  tables: 3,
  serverVersion: "15.20",
  verified: { level: "compare", atMs: Date.parse("2026-11-26T03:00:05Z") },
};

function tell(request: { onEvent?: (event: OperationEvent) => void }, kind: OperationKind): void {
  request.onEvent?.({ seq: 1, atMs: Date.now(), type: "phase", name: "accepted", message: kind });
}
