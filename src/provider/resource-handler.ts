import type * as z from "zod";
import type { Drift } from "../agent/protocol/views.ts";
import type { OperationEvent } from "../agent/protocol/wire.ts";
import type { IkomaError } from "../core/errors.ts";
import type { Difference } from "./detailed-diff.ts";
import type { HostInstance } from "./hosts/host-instance.ts";

/** What a handler may use while it serves one call of the engine. */
export interface ResourceCall {
  readonly urn: string;
  readonly host: HostInstance;
  /** This host and every other that the run knows. */
  readonly everyHost: () => readonly HostInstance[];
  /** Secret values among the inputs, for the host to keep out of its logs. */
  readonly secrets: readonly string[];
  /** Volumes that may be made anew, empty, where they are gone: somebody has said so for this run. */
  readonly recreateVolumes: readonly string[];
  /** Raised when the engine asks to cancel. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: OperationEvent) => void;
}

/** Plain values that the host knows and the program does not: numbers, digests, status. Never a secret. */
export type Computed = Record<string, unknown>;

/** What was applied last and what came of it, as the state has it. */
export interface AppliedState<Inputs> {
  id: string;
  inputs: Inputs;
  computed: Computed;
}

/**
 * What stands on the host. `drift` names the properties that are not as they were applied. `unread` says why nothing is
 * known of a thing elsewhere that must hold up no deploy: it is taken to be as it was, but for what is `known` of it.
 */
export type ReadOutcome =
  | { exists: false }
  | { exists: true; drift: readonly Drift[]; computed: Computed }
  | { exists: true; unread: IkomaError; known?: Computed };

/**
 * One kind of resource. A handler sees plain checked inputs; secrets, unknown values, previews, diffs and
 * the protocol are dealt with around it. `read`, `plan`, `create`, `update` and `delete` may dial the host; nothing else does.
 */
export interface ResourceHandler<Schema extends z.ZodObject = z.ZodObject> {
  /** `ikoma:module:Name` */
  readonly token: string;
  readonly inputs: Schema;
  /** Inputs that make it another resource when they change. */
  readonly identity: readonly (keyof z.infer<Schema> & string)[];
  /** Inputs that go along with a change but are no reason for one. */
  readonly silent: readonly (keyof z.infer<Schema> & string)[];
  /** Whether a difference is a reason for a change; without it every one is that is not silent. */
  isChange?(difference: Difference): boolean;
  /**
   * Inputs inside of others by which the thing is reached, such as a login. A difference is no reason for a change, so
   * nothing would ever apply them: the newest ones in the state are used.
   */
  readonly reachedBy?: readonly (readonly [keyof z.infer<Schema> & string, string])[];
  /**
   * Looks, for a plan, whether the inputs would be refused; throws what the change would throw. May dial the host.
   * Without a state it is to be created.
   */
  plan?(call: ResourceCall, inputs: z.infer<Schema>, state?: AppliedState<z.infer<Schema>>): Promise<void>;
  read(call: ResourceCall, state: AppliedState<z.infer<Schema>>): Promise<ReadOutcome>;
  create(call: ResourceCall, inputs: z.infer<Schema>): Promise<{ id: string; computed: Computed }>;
  update(call: ResourceCall, state: AppliedState<z.infer<Schema>>, inputs: z.infer<Schema>): Promise<Computed>;
  delete(call: ResourceCall, state: AppliedState<z.infer<Schema>>): Promise<void>;
}
