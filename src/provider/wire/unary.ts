import type { handleUnaryCall, ServerUnaryCall } from "@grpc/grpc-js";
import { toIkomaError } from "../../core/errors.ts";
import type { ProviderSession } from "../provider-session.ts";
import { toServiceError } from "./rpc-error.ts";

/** Whose call it is: the connection tells the provider's instances apart. */
export type Peer = Pick<ServerUnaryCall<unknown, unknown>, "getPeer">;

/** A method of the protocol as a function from request to response; what it throws becomes the call's status. */
export function unary<Request, Response>(
  session: ProviderSession,
  serve: (request: Request, call: Peer) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => serve(call.request, call))
      .then(
        (response) => {
          callback(null, response);
        },
        (thrown: unknown) => {
          callback(toServiceError(toIkomaError(thrown), session.partialOf(thrown)));
        },
      );
  };
}
