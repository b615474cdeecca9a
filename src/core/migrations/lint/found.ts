import type { Finding } from "../migration-spec.ts";

/** A finding before it is known whether the file allows it. */
export interface Found extends Finding {
  /** The release before cannot live with it, or data is gone: the file is of the phase `contract`. */
  readonly isContract?: boolean;
}
