import type {
  Method,
  OperationEvent,
  OperationInput,
  OperationKind,
  OperationResult,
  Params,
  Result,
} from "../agent/protocol.ts";
import type { HostConfig, HostSetup } from "../core/config/schema.ts";

/** One operation that changes a host, as the provider asks for it. */
export interface OperationRequest<K extends OperationKind> {
  /** A repeat with the same key attaches to what is under way, or gets its result. */
  key: string;
  input: OperationInput<K>;
  expectedGeneration: number | null;
  onEvent?: (event: OperationEvent) => void;
  signal?: AbortSignal;
}

/** How an operation ended, when it ended well. */
export interface OperationOutcome<K extends OperationKind> {
  result: OperationResult<K>;
  /** Generation of the part after it. */
  generation: number;
}

/** The agent of one host, as far as the provider needs it. Failures are thrown as `IkomaError`. */
export interface AgentAccess {
  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>>;
  runOperation<K extends OperationKind>(kind: K, request: OperationRequest<K>): Promise<OperationOutcome<K>>;
  close(): Promise<void>;
}

/** The ways from the provider to hosts; tests put a scripted agent here. */
export interface HostAccess {
  /** Starts to connect, ahead of the first need; a failure shows then. */
  prewarm?(host: HostConfig): void;
  openAgent(host: HostConfig): Promise<AgentAccess>;
  installAgent(host: HostConfig, setup: HostSetup, onStep: (message: string) => void): Promise<void>;
  /** Stops and removes the agent and the edge; data stays. */
  removeAgent(host: HostConfig): Promise<void>;
}
