import type { FastifyReply } from "fastify";

/** Aborted when the connection of a request that is not answered yet, or is answered bit by bit, is closed. */
export function closedSignal({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  if (raw.destroyed) controller.abort();
  raw.once("close", () => {
    controller.abort();
  });
  return controller.signal;
}
