/**
 * Stands for one service of Supabase's self-hosted stack, the one that its argument names: same port, and of its
 * interface what tells how it is. The gateway's routes, its check of the API key and the names by which it finds the
 * others are those of the official configuration; Auth's `/health` and PostgREST's error are as documented. Functions
 * are run as they are, by Node instead of Deno. Realtime's socket, logins, files and everything else is missing. None of
 * it was held against the real programs.
 *
 * While there is a file /tmp/broken, it answers 503.
 */
import { createHmac } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, request } from "node:http";

const json = (response, status, body) => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};
const bearer = ({ headers }) => headers.authorization?.replace(/^Bearer /, "") ?? "";

function isSigned(token, secret) {
  const [head, body, signature] = token.split(".");
  return signature === createHmac("sha256", secret).update(`${head}.${body}`).digest("base64url");
}

/** Routes as the mounted configuration has them: prefix → where to, and whether an API key is asked for. */
function gateway() {
  const routes = JSON.parse(readFileSync("/etc/gateway/routes.json", "utf8"));
  const keys = [process.env.ANON_KEY, process.env.SERVICE_ROLE_KEY];
  return (incoming, response) => {
    const route = routes.find(({ prefix }) => incoming.url.startsWith(prefix));
    if (route === undefined) return response.writeHead(401, { "www-authenticate": "Basic" }).end();
    if (route.protected && !keys.includes(incoming.headers.apikey))
      return json(response, 401, { message: "Unauthorized" });
    const path = route.rewrite + incoming.url.slice(route.prefix.length);
    const { method, headers } = incoming;
    const outgoing = request(`http://${route.to}${path}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", (error) => response.writeHead(503).end(`upstream connect error: ${error.message}`));
    incoming.pipe(outgoing);
  };
}

function functions() {
  let current;
  globalThis.Deno = { serve: (handler) => (current = handler) };
  return async (incoming, response) => {
    const name = incoming.url.split("/")[1];
    if (name === "") return json(response, 400, { msg: "missing function name in request" });
    await import(`/home/deno/functions/${name}/index.ts`);
    const answer = await current(new Request(`http://functions${incoming.url}`));
    response.writeHead(answer.status).end(await answer.text());
  };
}

const services = {
  gateway: { port: 8000, make: gateway },
  auth: {
    port: 9999,
    make: () => (incoming, response) =>
      incoming.url === "/health"
        ? json(response, 200, {
            version: "double",
            name: "GoTrue",
            description: "GoTrue is a user registration and authentication API",
          })
        : json(response, 404, { code: 404, msg: "404 page not found" }),
  },
  rest: {
    port: 3000,
    make: () => (incoming, response) =>
      isSigned(bearer(incoming), process.env.PGRST_JWT_SECRET)
        ? json(response, 404, {
            code: "PGRST205",
            message: "Could not find the table in the schema cache",
            details: null,
            hint: null,
          })
        : json(response, 401, {
            code: "PGRST301",
            message: "No suitable key or wrong key type",
            details: null,
            hint: null,
          }),
  },
  storage: {
    port: 5000,
    make: () => (incoming, response) => response.writeHead(incoming.url === "/status" ? 200 : 404).end(),
  },
  realtime: {
    port: 4000,
    make: () => (incoming, response) => {
      if (incoming.url.startsWith("/socket/")) return response.writeHead(400).end();
      const isWell =
        incoming.url === "/api/tenants/realtime-dev/health" && isSigned(bearer(incoming), process.env.API_JWT_SECRET);
      return isWell ? json(response, 200, { data: { healthy: true } }) : response.writeHead(403).end();
    },
  },
  functions: { port: 9000, make: functions },
};

const { port, make } = services[process.argv[2]];
const answer = make();
createServer((incoming, response) => {
  if (existsSync("/tmp/broken")) return response.writeHead(503).end();
  return answer(incoming, response);
}).listen(port, "0.0.0.0");
process.on("SIGTERM", () => process.exit(0));
