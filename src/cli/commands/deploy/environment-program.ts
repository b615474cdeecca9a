import { bridgeStack } from "../../../core/config/bridge-names.ts";
import type { ProgramLoader } from "../../../core/engine/language-server.ts";

/** What a deploy says about itself besides the configuration; it goes into the host's ledger. */
export interface ProgramNotes {
  /** For the history, such as `rollback to #3`. */
  readonly note?: string;
  /** Deploy although the bundle is on the withdrawn list. */
  readonly redeploy?: boolean;
  /** Number of the deployment that the app goes back to. */
  readonly rollbackTo?: number;
  /** The engine changes nothing of the other apps. */
  readonly onlyApp?: string;
}

/** The program of a stack with apps. It and the SDK are loaded when the engine has been started. */
export function environmentProgram(stack: string, notes: ProgramNotes): ProgramLoader {
  return async () => {
    if (stack === bridgeStack) {
      const { bridge } = await import("../../../../stacks/bridge.ts");
      return () => bridge(notes);
    }
    const { environment } = await import("../../../../stacks/environment.ts");
    return () => environment(notes);
  };
}
