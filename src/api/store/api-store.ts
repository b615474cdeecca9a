import type { EventChunk, StoredEvent } from "../../core/link/link-protocol.ts";
import type { HostTokenKind } from "../../core/link/api-token.ts";

/** Stands in place of an administrator for whoever works on the store itself. */
export const madeOnTheMachine = "local";

/** A token as the API keeps it: its secret only as a hash. */
export interface TokenRecord {
  readonly id: string;
  readonly kind: HostTokenKind;
  /** SHA-256 of the secret, hexadecimal. */
  readonly hash: string;
  /** The one host of an agent, or those that a caller may reach. */
  readonly hosts: readonly string[];
  /** For people: what it was made for. */
  readonly note: string;
  readonly createdMs: number;
  /** Id of the administrator, or {@link madeOnTheMachine}; undefined for those that were made before this was kept. */
  readonly createdBy: string | undefined;
  readonly usedMs: number | undefined;
  readonly revokedMs: number | undefined;
}

/** What the API remembers. One for a single machine is in SQLite; times are Unix times in ms. */
export interface ApiStore {
  addToken(token: TokenRecord): Promise<void>;
  findToken(id: string): Promise<TokenRecord | undefined>;
  /** The newest last. */
  tokens(): Promise<TokenRecord[]>;
  /** Whether there is such a token; one that is revoked already stays as it is. */
  revokeToken(id: string, atMs: number): Promise<boolean>;
  tokenUsed(id: string, atMs: number): Promise<void>;

  hostSeen(host: string, atMs: number): Promise<void>;
  /** Undefined for a host that was never there. */
  lastSeen(host: string): Promise<number | undefined>;

  /** Number of the last event that the host's stream has told; 0 for none. */
  receivedEvents(host: string, stream: string): Promise<number>;
  /** Keeps what is new of a chunk, and a gap for what is missing before it. Gives the number of the last that is kept. */
  addEvents(host: string, chunk: EventChunk): Promise<number>;
  /** Those after a number of the API's own, the oldest first. */
  events(host: string, after: number, limit: number): Promise<StoredEvent[]>;

  /** Throws where it cannot be read. */
  check(): Promise<void>;
  close(): void;
}
