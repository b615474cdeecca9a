import { credentials } from "@grpc/grpc-js";
import type { OperationEvent } from "../../agent/protocol/wire.ts";
import { engineMessages, engineServices } from "./proto.ts";

type Severity = "info" | "warning" | "error";

/** The engine's own log, where people see what a resource is doing. Writing resolves when the engine has it, or never will. */
export interface EngineLog {
  /** `ephemeral` messages are shown while the resource is worked on, and not repeated at the end. */
  write(urn: string, severity: Severity, message: string, ephemeral: boolean): Promise<void>;
  close(): void;
}

/** Connects to the engine; messages that cannot be delivered are dropped, for a log must not fail a deploy. */
export function openEngineLog(address: string): EngineLog {
  const client = new engineServices.EngineClient(address, credentials.createInsecure());
  const { LogRequest, LogSeverity } = engineMessages;
  const severities = { info: LogSeverity.INFO, warning: LogSeverity.WARNING, error: LogSeverity.ERROR };
  return {
    write(urn, severity, message, ephemeral) {
      const request = new LogRequest()
        .setUrn(urn)
        .setSeverity(severities[severity])
        .setMessage(message)
        .setEphemeral(ephemeral);
      return new Promise((resolve) => {
        client.log(request, () => {
          resolve();
        });
      });
    },
    close: () => {
      client.close();
    },
  };
}

/** How an operation's event reads in the engine's output. */
export function logOperationEvent(log: EngineLog | undefined, urn: string, event: OperationEvent): void {
  const isWarning = event.type === "warning";
  void log?.write(
    urn,
    isWarning ? "warning" : "info",
    event.message === "" ? event.name : `${event.name}: ${event.message}`,
    !isWarning,
  );
}
