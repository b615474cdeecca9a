import { Server, ServerCredentials } from "@grpc/grpc-js";
import { providerServices } from "./wire/proto.ts";
import { providerService } from "./provider-service.ts";
import { ProviderSession, type ProviderOptions } from "./provider-session.ts";

/** The engine's own limit; a plan with many services is far from it, gRPC's default of 4 MB is not. */
const maxMessageBytes = 400 * 1024 * 1024;

/** A gRPC server with the limits that the engine expects. */
export function createEngineServer(): Server {
  return new Server({
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
  });
}

/** Adds the provider `ikoma` to a server; close the session when the engine is done. */
export function addProvider(server: Server, options: ProviderOptions): ProviderSession {
  const session = new ProviderSession(options);
  server.addService(providerServices.ResourceProviderService, providerService(session));
  return session;
}

/** Listens on a free port of loopback, and answers which. */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}
