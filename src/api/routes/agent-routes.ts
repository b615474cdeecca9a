import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { eventChunk, eventReceipt, frames, sessionAnswer, sessionRequest } from "../../core/link/link-protocol.ts";
import { agentHost, requireToken } from "../authentication.ts";
import type { ApiParts } from "../api-parts.ts";
import type { AgentSession } from "../links/agent-session.ts";
import type { HostLinks } from "../links/host-links.ts";
import { closedSignal } from "../open-connection.ts";
import { ApiProblem } from "../problems.ts";

const session = z.object({ session: z.uuid() });
const nothing = z.undefined();

/** What agents dial out to: a session, the calls that are on their way to it, and where its answers and events go. */
export function agentRoutes({ store, links, feed, remember }: ApiParts): FastifyPluginAsyncZod {
  // eslint-disable-next-line @typescript-eslint/require-await -- a plugin of Fastify is asynchronous
  return async (app) => {
    app.addHook("onRequest", requireToken(store, "agent"));

    app.post(
      "/v1/agent/sessions",
      { schema: { body: sessionRequest, response: { 200: sessionAnswer } } },
      async (request) => {
        const host = agentHost(request);
        const { instance, yields, stream, agentVersion } = request.body;
        const opened = links.open(host, instance, yields);
        if (opened === undefined) throw superseded();
        await remember(host, Date.now());
        request.log.info({ host, agentVersion }, "an agent is connected");
        return { session: opened.id, received: await store.receivedEvents(host, stream) };
      },
    );

    app.get(
      "/v1/agent/sessions/:session/calls",
      {
        schema: {
          params: session,
          querystring: z.object({ after: z.coerce.number().int().min(0) }),
          response: { 200: frames },
        },
      },
      async (request, reply) => {
        const host = agentHost(request);
        const current = sessionOf(links, host, request.params.session);
        reply.raw.once("close", () => {
          current.pollEnded();
        });
        const next = await current.poll(request.query.after, closedSignal(reply));
        if (current.endReason !== undefined) throw sessionOver(links, host, request.params.session);
        return next;
      },
    );

    app.post(
      "/v1/agent/sessions/:session/answers",
      { schema: { params: session, body: frames, response: { 204: nothing } } },
      async (request, reply) => {
        const host = agentHost(request);
        const current = sessionOf(links, host, request.params.session);
        if (!current.accept(request.body)) {
          current.end("away");
          throw new ApiProblem(410, "SESSION_GONE", "Answers are missing before these: the session is over.");
        }
        return reply.code(204).send(undefined);
      },
    );

    app.post("/v1/agent/events", { schema: { body: eventChunk, response: { 200: eventReceipt } } }, async (request) => {
      const host = agentHost(request);
      const received = await store.addEvents(host, request.body);
      feed.added(host);
      return { received };
    });
  };
}

function sessionOf(links: HostLinks, host: string, id: string): AgentSession {
  const found = links.find(host, id);
  if (found === undefined) throw sessionOver(links, host, id);
  return found;
}

function sessionOver(links: HostLinks, host: string, id: string): ApiProblem {
  return links.wasSuperseded(host, id)
    ? superseded()
    : new ApiProblem(410, "SESSION_GONE", "There is no such session any more; open a new one.");
}

function superseded(): ApiProblem {
  return new ApiProblem(409, "AGENT_SUPERSEDED", "Another agent with this host's token is connected.");
}
