import type { sendUnaryData, ServerUnaryCall } from "@grpc/grpc-js";
import * as z from "zod";
import { IkomaError } from "../errors.ts";

/** What a Pulumi program is to the SDK: registers resources and answers the stack's outputs. */
export type Program = () => Promise<Record<string, unknown>>;

/** Loads a program together with the SDK that it imports: half a second that the engine uses to start. */
export type ProgramLoader = () => Promise<Program>;

/** The SDK's server for programs in the same process. Internal to `@pulumi/pulumi`; see docs/adr/0001-driving-the-engine.md. */
export interface LanguageServer {
  run(call: ServerUnaryCall<unknown, unknown>, callback: sendUnaryData<unknown>): unknown;
  /** Reports promises that a program left pending, which is a defect of the program. */
  onPulumiExit(hasError: boolean): void;
}

type LanguageServerClass = new (program: Program) => LanguageServer;
const serverModule = z.looseObject({
  LanguageServer: z.custom<LanguageServerClass>(
    (value) => typeof value === "function",
    "@pulumi/pulumi/automation/server has changed",
  ),
});

/** A program ready to be run by the engine; `onError` gets what it throws, which the engine passes on only as text. */
export async function loadLanguageServer(
  load: ProgramLoader,
  onError: (error: unknown) => void,
): Promise<LanguageServer> {
  const [log, { getMonitor }, sdk, program] = await Promise.all([
    import("@pulumi/pulumi/log/index.js"),
    import("@pulumi/pulumi/runtime/settings.js"),
    import("@pulumi/pulumi/automation/server.js").then((loaded) => serverModule.parse(loaded)),
    load(),
  ]);
  return new sdk.LanguageServer(async () => {
    try {
      return await program();
    } catch (error) {
      onError(error);
      if (!(error instanceof IkomaError)) throw error;
      withholdCompletion(getMonitor());
      // A logged error fails the run as a thrown one does, but without a stack trace that helps nobody.
      await log.error(`${error.code}: ${error.message}\n${error.hint}`);
      return {};
    }
  });
}

/**
 * For a program that broke off and returns all the same: the SDK would tell the engine that it is complete, and the
 * engine would delete every resource that it had not come to register.
 */
function withholdCompletion(monitor: object | undefined): void {
  const signalAndWaitForShutdown = (_request: unknown, done: (error: null) => void): void => {
    done(null);
  };
  if (monitor !== undefined) Object.assign(monitor, { signalAndWaitForShutdown });
}
