import type { FastifyError, FastifyInstance, FastifyReply } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import type { Problem } from "../core/link/link-protocol.ts";

/** A refusal of the API, as it is told: RFC 9457, with a code. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly more: Readonly<Record<string, unknown>>;

  /** `more` is told as well. Never a secret, in none of them. */
  constructor(status: number, code: string, detail: string, more: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.status = status;
    this.code = code;
    this.more = more;
  }
}

const titles: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Not authenticated",
  403: "Not allowed",
  404: "Not found",
  409: "Conflict",
  410: "Gone",
  413: "Too large",
  415: "Unsupported media type",
  503: "Not available",
};

/** Makes every error an `application/problem+json`; of what was not foreseen only the log has the reason. */
export function addProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    if (error instanceof ApiProblem) return send(reply, error.status, error.code, error.message, error.more);
    if (hasZodFastifySchemaValidationErrors(error)) {
      const errors = error.validation.map(({ instancePath, message }) => ({ pointer: instancePath, detail: message }));
      return send(reply, 400, "BAD_REQUEST", "The request is not as it has to be.", { errors });
    }
    const status = error.statusCode ?? 500;
    if (status < 500) return send(reply, status, "BAD_REQUEST", error.message);
    request.log.error({ reason: error.stack ?? error.message }, "a request failed");
    return send(reply, 500, "INTERNAL", "Something happened that the API did not foresee; its log has the reason.");
  });
  app.setNotFoundHandler((request, reply) =>
    send(reply, 404, "NOT_FOUND", `There is no ${request.method} ${request.url.split("?")[0] ?? ""}.`),
  );
}

function send(
  reply: FastifyReply,
  status: number,
  code: string,
  detail: string,
  more: Readonly<Record<string, unknown>> = {},
): FastifyReply {
  const body: Problem = { type: "about:blank", title: titles[status] ?? "Error", status, detail, code, ...more };
  // As text: the schema of a route's answer is not that of its failures.
  return reply.code(status).type("application/problem+json").serializer(JSON.stringify).send(body);
}
