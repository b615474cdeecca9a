import type { Drift } from "../agent/protocol/views.ts";
import type { IkomaError } from "../core/errors.ts";

/** What a read of one resource found, with what the engine's own events leave out. */
export interface ReadReport {
  readonly urn: string;
  /** Name of the host that it is on. */
  readonly host: string;
  /** The app that it is a part of; undefined for resources that are none's (a host's agent). */
  readonly app: string | undefined;
  readonly found: ReadFinding;
}

/** `unread`: nothing is known of it, because its host or what is on it did not answer. */
export type ReadFinding =
  | { readonly state: "present"; readonly drift: readonly Drift[] }
  | { readonly state: "gone" }
  | { readonly state: "unread"; readonly error: IkomaError };
