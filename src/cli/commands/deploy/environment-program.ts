import type { EnvironmentNotes } from "../../../../stacks/environment.ts";
import { bridgeStack } from "../../../core/config/bridge-names.ts";
import type { ProgramLoader } from "../../../core/engine/language-server.ts";

/** The program of a stack with apps. It and the SDK are loaded when the engine has been started. */
export function environmentProgram(stack: string, notes: EnvironmentNotes): ProgramLoader {
  return async () => {
    if (stack === bridgeStack) {
      const { bridge } = await import("../../../../stacks/bridge.ts");
      return () => bridge(notes);
    }
    const { environment } = await import("../../../../stacks/environment.ts");
    return () => environment(notes);
  };
}
