import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import { tokenList, tokenMade, tokenRequest } from "../../core/link/token-protocol.ts";
import type { ApiParts } from "../api-parts.ts";
import { adminOf, requireAdmin } from "../authentication.ts";
import { ApiProblem } from "../problems.ts";
import { createToken, tokenViews } from "../tokens.ts";

const tokenId = z.object({ id: z.string().max(100) });

/** Tokens of agents and callers, for administrators, who can do nothing else. What they do is in the log. */
export function tokenRoutes({ store, admins }: ApiParts): FastifyPluginAsyncZod {
  // eslint-disable-next-line @typescript-eslint/require-await -- a plugin of Fastify is asynchronous
  return async (app) => {
    app.addHook("onRequest", requireAdmin(admins));

    app.get("/v1/tokens", { schema: { response: { 200: tokenList } } }, async () => ({
      tokens: await tokenViews(store),
    }));

    app.post("/v1/tokens", { schema: { body: tokenRequest, response: { 201: tokenMade } } }, async (request, reply) => {
      const { body, log } = request;
      const admin = adminOf(request);
      const { id, text } = await createToken(store, body, admin);
      log.info({ admin, token: id, kind: body.kind, hosts: body.hosts }, "a token was made");
      return reply.code(201).header("cache-control", "no-store").send({ id, token: text });
    });

    app.delete(
      "/v1/tokens/:id",
      { schema: { params: tokenId, response: { 204: z.undefined() } } },
      async ({ params: { id }, admin, log }, reply) => {
        if (!(await store.revokeToken(id, Date.now())))
          throw new ApiProblem(404, "TOKEN_UNKNOWN", `There is no token ${id}.`);
        log.info({ admin, token: id }, "a token was revoked");
        return reply.code(204).send(undefined);
      },
    );
  };
}
