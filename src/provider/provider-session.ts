import type { OperationEvent } from "../agent/protocol/wire.ts";
import { wayKeys } from "../core/config/schema.ts";
import { toIkomaError, type IkomaError } from "../core/errors.ts";
import { ChangeGuard, type Clearance } from "../core/policies/change-guard.ts";
import type { HostAccess } from "./hosts/agent-access.ts";
import { logOperationEvent, openEngineLog, type EngineLog } from "./wire/engine-log.ts";
import type { HostInstance } from "./hosts/host-instance.ts";
import { HostInstances } from "./hosts/host-instances.ts";
import type { CurrentConfig } from "./hosts/provider-config.ts";
import type { ReadReport } from "./read-report.ts";
import type { ResourceCall } from "./resource-handler.ts";
import type { PartialResource } from "./wire/rpc-error.ts";

/** What a process that hosts the provider may listen to. */
export interface ProviderListener {
  /** What operations do on hosts, as it happens. */
  onEvent?(urn: string, event: OperationEvent): void;
  /** Failures as they were thrown; the engine passes on only their text. */
  onFailure?(urn: string, error: IkomaError): void;
  /**
   * What each read found. With it a host that cannot be read fails no read: that is told here, and the engine is
   * answered with what the state says.
   */
  onRead?(report: ReadReport): void;
}

export interface ProviderOptions extends ProviderListener {
  access: HostAccess;
  version: string;
  current?: CurrentConfig;
  /** See {@link ResourceCall.recreateVolumes}. */
  recreateVolumes?: readonly string[];
  /** What the policy is told of this run. */
  clearance?: Clearance;
}

/** What the provider keeps while an engine uses it: hosts, the engine's log, and what is under way. */
export class ProviderSession {
  readonly version: string;
  readonly hosts: HostInstances;
  readonly #guard: ChangeGuard;
  readonly #told = new Set<string>();
  readonly #current: CurrentConfig;
  readonly #listener: ProviderListener;
  readonly #recreateVolumes: readonly string[];
  readonly #cancellation = new AbortController();
  readonly #partial = new WeakMap<object, PartialResource>();
  readonly #owners = new Map<string, string>();
  #log: EngineLog | undefined;

  constructor(options: ProviderOptions) {
    this.version = options.version;
    this.#current = options.current ?? { hosts: {}, offline: false };
    this.hosts = new HostInstances(options.access, this.#current);
    this.#guard = new ChangeGuard(this.#current.policy, options.clearance ?? {});
    this.#listener = options;
    this.#recreateVolumes = options.recreateVolumes ?? [];
  }

  connectEngine(address: string): void {
    if (address !== "") this.#log ??= openEngineLog(address);
  }

  async warn(urn: string, message: string): Promise<void> {
    await this.#log?.write(urn, "warning", message, false);
  }

  /** Tells what a read found; false where nobody listens. */
  reportRead(report: ReadReport): boolean {
    this.#listener.onRead?.(report);
    return this.#listener.onRead !== undefined;
  }

  cancel(): void {
    this.#cancellation.abort();
  }

  /** Runs a handler for the host that `peer` was configured for, its events and failures told to whoever listens. */
  async serve<T>(
    peer: string,
    urn: string,
    work: (call: ResourceCall) => Promise<T>,
    partial?: PartialResource,
  ): Promise<T> {
    const onEvent = (event: OperationEvent): void => {
      logOperationEvent(this.#log, urn, event);
      this.#listener.onEvent?.(urn, event);
    };
    try {
      const [host, recreateVolumes, { signal }] = [this.hosts.of(peer), this.#recreateVolumes, this.#cancellation];
      const everyHost = (): readonly HostInstance[] => this.hosts.all();
      return await work({ urn, host, everyHost, secrets: [], recreateVolumes, signal, onEvent });
    } catch (thrown) {
      const error = toIkomaError(thrown);
      if (partial !== undefined) this.#partial.set(error, partial);
      this.#listener.onFailure?.(urn, error);
      throw error;
    }
  }

  /**
   * As `serve`, for what changes the host.
   *
   * @throws what the policy refuses: WINDOW_CLOSED, APPROVAL_MISSING; nothing was changed then
   */
  change<T>(
    { peer, urn, app }: { peer: string; urn: string; app: string | undefined },
    work: (call: ResourceCall) => Promise<T>,
    partial?: PartialResource,
  ): Promise<T> {
    const admitted = async (call: ResourceCall): Promise<T> => {
      this.#guard.admit(app);
      return work(call);
    };
    return this.serve(peer, urn, admitted, partial);
  }

  /** Tells, in a preview, what the policy would refuse now; once for each app. */
  async tellPolicy(urn: string, app: string | undefined): Promise<void> {
    const closed = this.#guard.whyClosed(app);
    if (closed === undefined || this.#told.has(closed.message)) return;
    this.#told.add(closed.message);
    await this.warn(urn, closed.message);
  }

  /** What of a provider's configuration has no effect, because this process knows better: how its host is reached now. */
  waysKnownAnyhow(host: unknown): string[] {
    const isKnown = typeof host === "string" && this.#current.hosts[host] !== undefined;
    return [...(isKnown ? wayKeys : []), ...(this.#current.offline ? ["offline"] : [])];
  }

  /** The program has a resource for this thing on the host (a part of an app), under this URN. */
  claim(peer: string, thing: string, urn: string): void {
    for (const mark of this.hosts.find(peer)?.marks ?? []) this.#owners.set(`${mark} ${thing}`, urn);
  }

  /**
   * The URN that the program has the thing under: the resource was renamed, or, under the same URN, replaced by one that
   * has adopted it.
   */
  ownerOf(peer: string, thing: string): string | undefined {
    const owners = this.hosts.of(peer).marks.map((mark) => this.#owners.get(`${mark} ${thing}`));
    return owners.find((owner) => owner !== undefined);
  }

  /** What to record of the resource that this failure was thrown for, if the host says that it is half done. */
  partialOf(thrown: unknown): PartialResource | undefined {
    return typeof thrown === "object" && thrown !== null ? this.#partial.get(thrown) : undefined;
  }

  async close(): Promise<void> {
    this.#log?.close();
    await this.hosts.close();
  }
}
