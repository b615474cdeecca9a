import { Readable } from "node:stream";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { heartbeatMs, hostName, storedEvent, type StoredEvent } from "../../core/link/link-protocol.ts";
import { callerFor, isTokenGood, requireToken } from "../authentication.ts";
import type { ApiParts } from "../api-parts.ts";
import { closedSignal } from "../open-connection.ts";

const number = z.coerce.number().int().min(0);
const query = z.object({ after: number.default(0), limit: z.coerce.number().int().min(1).max(1000).default(200) });
const eventList = z.object({ events: z.array(storedEvent) });
const batch = 200;

/** What happens in operations on a host, for people: a list after a number, or, for `text/event-stream`, as it comes. */
export function eventRoutes(parts: ApiParts): FastifyPluginAsyncZod {
  // eslint-disable-next-line @typescript-eslint/require-await -- a plugin of Fastify is asynchronous
  return async (app) => {
    app.addHook("onRequest", requireToken(parts.store, "caller"));

    app.get(
      "/v1/hosts/:host/events",
      { schema: { params: z.object({ host: hostName }), querystring: query, response: { 200: eventList } } },
      async (request, reply) => {
        const { host } = request.params;
        callerFor(request, host);
        const { after, limit } = request.query;
        if (!(request.headers.accept ?? "").includes("text/event-stream"))
          return { events: await parts.store.events(host, after, limit) };
        const resumed = number.safeParse(request.headers["last-event-id"]).data ?? after;
        const signal = closedSignal(reply);
        const isGood = () => isTokenGood(parts.store, request);
        const stream = Readable.from(serverSentEvents(parts, { host, after: resumed, signal, isGood }));
        void reply.header("x-accel-buffering", "no").header("cache-control", "no-store");
        // A stream is sent as it is, whatever the schema of the list says.
        return reply.type("text/event-stream").send(stream as never);
      },
    );
  };
}

interface Reading {
  readonly host: string;
  readonly after: number;
  readonly signal: AbortSignal;
  readonly isGood: () => Promise<boolean>;
}

async function* serverSentEvents(
  { store, feed }: ApiParts,
  { host, after, signal, isGood }: Reading,
): AsyncGenerator<string> {
  let told = after;
  yield ": events of a host\n\n";
  while (!signal.aborted && (await isGood())) {
    const wake = feed.next(host, heartbeatMs, signal);
    const events = await store.events(host, told, batch);
    if (events.length > 0) yield events.map(asSent).join("");
    told = events.at(-1)?.number ?? told;
    if (events.length < batch) {
      await wake;
      yield ":\n\n";
    }
  }
}

function asSent({ number: id, event }: StoredEvent): string {
  return `id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
