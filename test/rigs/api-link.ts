import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { openDatabase } from "../../src/agent/ledger/database.ts";
import { Outbox } from "../../src/agent/ledger/outbox.ts";
import { PullLink } from "../../src/agent/link/pull-link.ts";
import { createApi } from "../../src/api/server.ts";
import { SqliteStore } from "../../src/api/store/sqlite-store.ts";
import { createAdminToken, createToken } from "../../src/api/tokens.ts";
import { parseFingerprint } from "../../src/core/link/admin-fingerprint.ts";
import { ApiClient } from "../../src/core/link/api-client.ts";
import type { HostTokenKind } from "../../src/core/link/api-token.ts";
import type { HostEvent } from "../../src/core/link/link-protocol.ts";
import { AgentClient, type AgentClientOptions } from "../../src/core/transport/agent-client.ts";
import { ApiChannels, type ApiHost } from "../../src/core/transport/api-stream.ts";

/** An agent's way out, as the rig starts it. */
export interface LinkRig {
  readonly outbox: Outbox;
  /** What people were told. */
  readonly notes: string[];
  stop(): void;
}

/** The real API on a port of loopback, with short times; agents and callers of it are made here. */
export class ApiRig {
  readonly store: SqliteStore;
  readonly folder: string;
  url = "";
  /** An administrator's token that the API knows. */
  readonly adminToken: string;
  readonly #fingerprint: string;
  #close: () => Promise<void> = () => Promise.resolve();
  readonly #ends: (() => void | Promise<void>)[] = [];

  private constructor(folder: string) {
    this.folder = folder;
    ({ text: this.adminToken, fingerprint: this.#fingerprint } = createAdminToken());
    this.store = SqliteStore.open(join(folder, "state"));
  }

  static async start(): Promise<ApiRig> {
    const rig = new ApiRig(await mkdtemp(join(tmpdir(), "ikoma-api-")));
    await rig.up();
    return rig;
  }

  /** Starts the API, after {@link down} on the port that it had. */
  async up(): Promise<void> {
    const times = { holdMs: 1_000, graceMs: 300 };
    const admins = [parseFingerprint(this.#fingerprint)].filter((each) => each !== undefined);
    const log = pino({ level: "silent" });
    const api = await createApi({ store: this.store, log, version: "0.0.0", admins, times });
    await api.listen({ host: "127.0.0.1", port: this.url === "" ? 0 : Number(new URL(this.url).port) });
    this.url = api.listeningOrigin;
    this.#close = () => api.close();
  }

  async down(): Promise<void> {
    await this.#close();
  }

  async token(kind: HostTokenKind, ...hosts: string[]): Promise<{ id: string; text: string }> {
    return createToken(this.store, { kind, hosts, note: "a test" }, "a test");
  }

  /** An HTTP client with this token. */
  client(token: string): ApiClient {
    const client = new ApiClient({ url: this.url, token: () => token });
    this.#ends.push(() => client.close());
    return client;
  }

  /** The agent's side, in front of an agent that listens on `socketPath`. */
  link(token: string, socketPath: string): LinkRig {
    const database = openDatabase(":memory:");
    const outbox = new Outbox(database);
    const notes: string[] = [];
    const link = new PullLink({
      api: this.client(token),
      socketPath,
      outbox,
      log: pino({ level: "silent" }),
      agentVersion: "0.0.0",
      note: (message) => notes.push(message),
    });
    const ended = link.run();
    this.#ends.push(async () => {
      link.stop();
      await ended;
      database.close();
    });
    const stop = (): void => {
      link.stop();
    };
    return { outbox, notes, stop };
  }

  /** A caller's side: the client that the provider uses. */
  agent(name: string, token: string, options: Partial<ApiHost> & AgentClientOptions = {}): AgentClient {
    const { waitForHostMs, comeBackMs, onQueued, signal, ...ofClient } = options;
    const away = { waitForHostMs, comeBackMs, onQueued, signal };
    const client = new AgentClient(this.channels(name, token, away).open, { holderLabel: "a test", ...ofClient });
    this.#ends.push(() => client.close());
    return client;
  }

  channels(name: string, token: string, away: Partial<ApiHost> = {}): ApiChannels {
    return new ApiChannels({ name, way: { api: this.url }, token: () => token, ...away });
  }

  async remove(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
    await this.down();
    this.store.close();
    await rm(this.folder, { recursive: true });
  }
}

/** Something that an operation told. */
export function hostEventNumber(number: number): HostEvent {
  const operation = "operation-key-0001";
  const told = { type: "step", name: "step", message: `step ${number}` } as const;
  return { atMs: number, operation, kind: "site.apply", app: "shop", by: "a test", ...told };
}

/** Key of an operation that nobody else has. */
export function newKey(): string {
  return randomUUID();
}
