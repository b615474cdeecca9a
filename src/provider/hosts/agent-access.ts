import type { Method, Params, Result } from "../../agent/protocol/methods.ts";
import type { OperationKind } from "../../agent/protocol/operations.ts";
import type { HostWay, HostSetup } from "../../core/config/schema.ts";
import type { OperationOutcome, OperationRequest } from "../../core/transport/agent-client.ts";

/** The agent of one host, as far as the provider needs it. Failures are thrown as `IkomaError`. */
export interface AgentAccess {
  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>>;
  runOperation<K extends OperationKind>(kind: K, request: OperationRequest<K>): Promise<OperationOutcome<K>>;
  close(): Promise<void>;
}

/** The ways from the provider to hosts; tests put a scripted agent here. */
export interface HostAccess {
  /** Starts to connect, ahead of the first need; a failure shows then. */
  prewarm?(host: HostWay): void;
  /** `name` is the host's in `ikoma:hosts`. */
  openAgent(host: HostWay, name: string): Promise<AgentAccess>;
  installAgent(host: HostWay, setup: HostSetup, onStep: (message: string) => void, name: string): Promise<void>;
  /** Stops and removes the agent and the edge; data stays. */
  removeAgent(host: HostWay, name: string): Promise<void>;
}
