import { PassThrough } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { channelLines, heartbeatMs, hostName, longestWaitMs, maxWaitingBytes } from "../../core/link/link-protocol.ts";
import { callerFor, isTokenGood, requireToken } from "../authentication.ts";
import type { ApiParts } from "../api-parts.ts";
import type { AgentSession } from "../links/agent-session.ts";
import { closedSignal } from "../open-connection.ts";
import { ApiProblem } from "../problems.ts";

const host = z.object({ host: hostName });
const channelOfHost = host.extend({ channel: z.uuid() });
const wait = z.object({ wait: z.coerce.number().min(0).max(longestWaitMs).default(0) });

/** A caller's way to a host's agent: one answer that stays open for what the agent says, and requests for what it is told. */
export function channelRoutes(parts: ApiParts): FastifyPluginAsyncZod {
  // eslint-disable-next-line @typescript-eslint/require-await -- a plugin of Fastify is asynchronous
  return async (app) => {
    app.addHook("onRequest", requireToken(parts.store, "caller"));

    app.post("/v1/hosts/:host/channels", { schema: { params: host, querystring: wait } }, async (request, reply) => {
      const name = request.params.host;
      const owner = callerFor(request, name).id;
      const signal = closedSignal(reply);
      const session = await parts.links.wait(name, request.query.wait, signal);
      if (session === undefined) throw await hostAway(parts, name);
      return reply.type("application/x-ndjson").send(openChannel(parts, session, { owner, signal, request, reply }));
    });

    app.post(
      "/v1/hosts/:host/channels/:channel",
      { schema: { params: channelOfHost, body: channelLines, response: { 204: z.undefined() } } },
      async (request, reply) => {
        const { host: name, channel } = request.params;
        const owner = callerFor(request, name).id;
        const { number, lines } = request.body;
        const isTaken = parts.links.current(name)?.send(channel, owner, number, lines) ?? false;
        if (!isTaken) throw new ApiProblem(410, "CHANNEL_GONE", "There is no such channel any more; open a new one.");
        return reply.code(204).send(undefined);
      },
    );
  };
}

async function hostAway({ store }: ApiParts, name: string): Promise<ApiProblem> {
  const lastSeenMs = await store.lastSeen(name);
  const seen = lastSeenMs === undefined ? "was never connected" : `was last seen ${new Date(lastSeenMs).toISOString()}`;
  const more = lastSeenMs === undefined ? {} : { lastSeenMs };
  return new ApiProblem(503, "HOST_AWAY", `The agent of ${name} is not connected; it ${seen}.`, more);
}

interface OpenRequest {
  readonly owner: string;
  readonly signal: AbortSignal;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The open answer: the channel's id first, then the agent's lines as they come, now and then an empty one. */
function openChannel(
  { store }: ApiParts,
  session: AgentSession,
  { owner, signal, request, reply }: OpenRequest,
): PassThrough {
  const stream = new PassThrough();
  const id = session.openChannel(owner, {
    line: (text) => {
      if (stream.writableLength > maxWaitingBytes) stream.destroy();
      else stream.write(`${text}\n`);
    },
    closed: () => {
      stream.end();
    },
  });
  if (id === undefined) throw new ApiProblem(503, "TOO_MANY_CHANNELS", "The host has too many open channels.");
  stream.write(`${JSON.stringify({ channel: id })}\n`);
  const heartbeat = setInterval(() => {
    stream.write("\n");
    isTokenGood(store, request).then(
      (isGood) => {
        if (!isGood) stream.end();
      },
      () => stream.end(),
    );
  }, heartbeatMs);
  const close = (): void => {
    clearInterval(heartbeat);
    session.closeChannel(id);
  };
  stream.once("close", close);
  signal.addEventListener("abort", close);
  // A proxy that collects answers would hold back what the agent says.
  void reply.header("x-accel-buffering", "no").header("cache-control", "no-store");
  return stream;
}
