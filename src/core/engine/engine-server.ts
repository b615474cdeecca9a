import type { handleClientStreamingCall, handleUnaryCall, Server, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { EventRequest } from "@pulumi/pulumi/proto/events_pb.js";
import { parseEngineEvent, type EngineEvent } from "./engine-event.ts";
import type { LanguageServer } from "./language-server.ts";
import { Empty, eventServices, languageMessages, languageServices, pluginMessages } from "./proto.ts";

/**
 * Adds what the engine asks of a program in this process. Only `run` needs the SDK, so the engine starts while
 * the SDK still loads.
 */
export function addProgram(server: Server, program: () => Promise<LanguageServer>): void {
  const noPlugins: handleUnaryCall<unknown, unknown> = (_call, callback) => {
    callback(null, new languageMessages.GetRequiredPluginsResponse());
  };
  const noPackages: handleUnaryCall<unknown, unknown> = (_call, callback) => {
    callback(null, new languageMessages.GetRequiredPackagesResponse());
  };
  const info: handleUnaryCall<unknown, unknown> = (_call, callback) => {
    callback(null, new pluginMessages.PluginInfo().setVersion("1.0.0"));
  };
  const run: handleUnaryCall<unknown, unknown> = (call, callback) => {
    program().then(
      (loaded) => loaded.run(call, callback),
      (error: unknown) => {
        callback(error instanceof Error ? error : new Error(String(error)));
      },
    );
  };
  const service: UntypedServiceImplementation = {
    getRequiredPlugins: noPlugins,
    getRequiredPackages: noPackages,
    getPluginInfo: info,
    run,
  };
  server.addService(languageServices.LanguageRuntimeService, service);
}

/** Adds the receiving end of `--event-log tcp://…`: no file to tail, no polling. */
export function addEventLog(server: Server, onEvent: (event: EngineEvent) => void): void {
  const streamEvents: handleClientStreamingCall<EventRequest, unknown> = (call, callback) => {
    call.on("data", (request: EventRequest) => {
      const event = parseEngineEvent(request.getEvent());
      if (event !== undefined) onEvent(event);
    });
    call.on("end", () => {
      callback(null, new Empty());
    });
    call.on("error", () => undefined);
  };
  server.addService(eventServices.EventsService, { streamEvents });
}
