import swagger from "@fastify/swagger";
import { fastify, LogController, type FastifyInstance } from "fastify";
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { AdminFingerprint } from "../core/link/admin-fingerprint.ts";
import { maxBodyBytes } from "../core/link/link-protocol.ts";
import { EventFeed } from "./event-feed.ts";
import type { SessionTimes } from "./links/agent-session.ts";
import { HostLinks } from "./links/host-links.ts";
import { addProblems } from "./problems.ts";
import { agentRoutes } from "./routes/agent-routes.ts";
import { channelRoutes } from "./routes/channel-routes.ts";
import { eventRoutes } from "./routes/event-routes.ts";
import { healthRoutes } from "./routes/health-routes.ts";
import { tokenRoutes } from "./routes/token-routes.ts";
import type { ApiStore } from "./store/api-store.ts";

export interface ApiOptions {
  readonly store: ApiStore;
  readonly log: Logger;
  readonly version: string;
  /** Without it plain HTTP is spoken, which only this machine may hear. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** Who may manage tokens over HTTP. @default nobody */
  readonly admins?: readonly AdminFingerprint[] | undefined;
  /** How long an agent's request is held, and how long the next may take; tests shorten it. */
  readonly times?: Partial<SessionTimes>;
}

/** For a request to come in whole, in ms; how long its answer takes is another matter. */
const requestTimeoutMs = 60_000;

/** An API that is killed remembers of a host when that was there, to this accuracy, in ms. */
const sightingMs = 15_000;

/** The Bridge's API. Nothing of a request but method, path and status is logged: tokens and secrets are elsewhere. */
export async function createApi({
  store,
  log,
  version,
  tls,
  admins = [],
  times,
}: ApiOptions): Promise<FastifyInstance> {
  const app = fastify({
    https: tls ?? null,
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  addProblems(app);
  await app.register(swagger, {
    openapi: { openapi: "3.1.0", info: { title: "IKOMA Bridge", version } },
    transform: jsonSchemaTransform,
  });
  const remember = async (host: string, seenMs: number): Promise<void> => {
    try {
      await store.hostSeen(host, seenMs);
    } catch (error) {
      log.warn({ host, reason: String(error) }, "when a host was seen could not be written down");
    }
  };
  const links = new HostLinks((host, session, reason) => {
    log.info({ host, reason }, "an agent's session is over");
    void remember(host, session.seenMs);
  }, times);
  const sighting = setInterval(() => {
    for (const [host, { seenMs }] of links.all()) void remember(host, seenMs);
  }, sightingMs);
  const parts = { store, links, feed: new EventFeed(), remember, admins };
  for (const routes of [agentRoutes, channelRoutes, eventRoutes, tokenRoutes, healthRoutes])
    await app.register(routes(parts));
  app.get("/v1/openapi.json", { schema: { hide: true } }, () => app.swagger());
  app.addHook("preClose", (done) => {
    clearInterval(sighting);
    links.close();
    done();
  });
  return app;
}
