import type { AdminFingerprint } from "../core/link/admin-fingerprint.ts";
import type { EventFeed } from "./event-feed.ts";
import type { HostLinks } from "./links/host-links.ts";
import type { ApiStore } from "./store/api-store.ts";

/** What the routes work with. */
export interface ApiParts {
  readonly store: ApiStore;
  readonly links: HostLinks;
  readonly feed: EventFeed;
  /** Writes down that a host was there, Unix time in ms. Never throws: what it is for is people. */
  readonly remember: (host: string, seenMs: number) => Promise<void>;
  /** Who may manage tokens. */
  readonly admins: readonly AdminFingerprint[];
}
