import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import * as z from "zod";
import type { ApiParts } from "../api-parts.ts";

/** Tells whoever watches over the API that it answers and can read its store. Anybody may ask. */
export function healthRoutes({ store }: ApiParts): FastifyPluginAsyncZod {
  // eslint-disable-next-line @typescript-eslint/require-await -- a plugin of Fastify is asynchronous
  return async (app) => {
    app.get("/v1/health", { schema: { response: { 200: z.object({ status: z.literal("ok") }) } } }, async () => {
      await store.check();
      return { status: "ok" as const };
    });
  };
}
