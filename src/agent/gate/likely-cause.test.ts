import { describe, expect, test } from "@jest/globals";
import { likelyCauses } from "./likely-cause.ts";
import type { ObservedFailure } from "./likely-cause.ts";

const silent: ObservedFailure = { app: "shop", service: "web", variables: [], log: [] };

function first(seen: Partial<ObservedFailure>) {
  return likelyCauses({ ...silent, ...seen })[0];
}

function crashed(log: string, exitCode = 1) {
  return first({ exitCode, log: log.split("\n") });
}

const refused = {
  kind: "http",
  path: "/health",
  port: 8080,
  said: "connect ECONNREFUSED 10.210.0.2:8080",
} as const;

describe("a log of", () => {
  test.each([
    [
      "Node, a module that was not copied",
      `node:internal/modules/cjs/loader:1228
  throw err;
  ^

Error: Cannot find module '/app/dist/server.js'
    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)
  code: 'MODULE_NOT_FOUND',
Node.js v22.11.0`,
      "module-missing",
      "its image lacks /app/dist/server.js",
    ],
    [
      "Node as ESM",
      "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'pg' imported from /app/server.mjs",
      "module-missing",
      "its image lacks pg",
    ],
    [
      "Node, an unknown host",
      "Error: getaddrinfo ENOTFOUND postgres\n    at GetAddrInfoReqWrap.onlookupall [as oncomplete] (node:dns:122:26)",
      "host-unknown",
      "it cannot find the host postgres",
    ],
    [
      "Node, a refused connection",
      "AggregateError [ECONNREFUSED]:\n    Error: connect ECONNREFUSED 127.0.0.1:5432\n  errno: -111",
      "cannot-connect",
      "nothing accepts its connection to 127.0.0.1:5432",
    ],
    [
      "Node, a port twice",
      "Error: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle [as _listen2] (node:net:1908:16)",
      "port-in-use",
      "the port it wants is taken (Error: listen EADDRINUSE: address already in use :::3000)",
    ],
    [
      "Node, a privileged port",
      "Error: listen EACCES: permission denied 0.0.0.0:80",
      "permission",
      "it lacks a permission (Error: listen EACCES: permission denied 0.0.0.0:80)",
    ],
    [
      "Node, its own heap",
      "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
      "heap-exhausted",
      "its program used up the memory that its own run time allows",
    ],
    [
      "TanStack Start on Nitro",
      "[h3] [unhandled] Error: DATABASE_URL is not set\n    at open (file:///app/.output/server/chunks/_/orders.server.mjs:22:40)",
      "variable-missing",
      "it misses the variable DATABASE_URL",
    ],
    [
      "a Node app in its own words",
      "missing required environment variable SESSION_SECRET",
      "variable-missing",
      "it misses the variable SESSION_SECRET",
    ],
    [
      "t3-env",
      `❌ Invalid environment variables: [
  { code: 'invalid_type', expected: 'string', path: [ 'STRIPE_KEY' ], message: 'Required' },
  { code: 'invalid_type', expected: 'string', path: [ 'AUTH_SECRET' ], message: 'Required' } ]`,
      "variable-missing",
      "it misses the variables STRIPE_KEY, AUTH_SECRET",
    ],
    [
      "Prisma, the variable",
      "error: Environment variable not found: DATABASE_URL.\n  -->  schema.prisma:10",
      "variable-missing",
      "it misses the variable DATABASE_URL",
    ],
    [
      "Prisma, the server",
      "PrismaClientInitializationError: Can't reach database server at `db:5432`\n\nPlease make sure your database server is running at `db:5432`.",
      "cannot-connect",
      "nothing accepts its connection to db:5432",
    ],
    [
      "Prisma, the login",
      "Error: P1000: Authentication failed against database server, the provided database credentials for `shop` are not valid.",
      "database-login",
      "the database refuses its login (Error: P1000: Authentication failed against database server, the provided database credentials for `shop` are not valid.)",
    ],
    [
      "Prisma, a table",
      "The table `public.Order` does not exist in the current database.",
      "schema-missing",
      "the database has no public.Order: its migrations have not run",
    ],
    [
      "Python, a variable",
      `Traceback (most recent call last):
  File "/app/main.py", line 7, in <module>
    secret = os.environ["SECRET_KEY"]
  File "<frozen os>", line 714, in __getitem__
KeyError: 'SECRET_KEY'`,
      "variable-missing",
      "it misses the variable SECRET_KEY",
    ],
    [
      "Python, a package",
      "ModuleNotFoundError: No module named 'psycopg'",
      "module-missing",
      "its image lacks psycopg",
    ],
    [
      "psycopg, a host",
      'psycopg2.OperationalError: could not translate host name "db" to address: Name or service not known',
      "host-unknown",
      "it cannot find the host db",
    ],
    [
      "psycopg, a server",
      'psycopg.OperationalError: connection failed: connection to server at "10.210.0.9", port 5432 failed: Connection refused',
      "cannot-connect",
      "nothing accepts its connection to 10.210.0.9",
    ],
    [
      "PostgreSQL's client, the password",
      'psql: error: connection to server at "db" (10.210.0.61), port 5432 failed: FATAL:  password authentication failed for user "shop"',
      "database-login",
      undefined,
    ],
    [
      "PostgreSQL's client, the database",
      'FATAL:  database "shop_prod" does not exist',
      "database-missing",
      "the database shop_prod does not exist on its server",
    ],
    [
      "Go, a dial",
      "2026/11/25 10:00:00 dial tcp 10.210.0.61:6379: connect: connection refused\nexit status 1",
      "cannot-connect",
      "nothing accepts its connection to 10.210.0.61:6379",
    ],
    [
      "Go, a lookup",
      "dial tcp: lookup cache on 127.0.0.11:53: no such host",
      "host-unknown",
      "it cannot find the host cache",
    ],
    [
      "Go, envconfig",
      "required key SHOP_API_TOKEN missing value",
      "variable-missing",
      "it misses the variable SHOP_API_TOKEN",
    ],
    ["Go, a port twice", "listen tcp :8080: bind: address already in use", "port-in-use", undefined],
    [
      "an image for another processor",
      "exec /usr/local/bin/docker-entrypoint.sh: exec format error",
      "wrong-architecture",
      "its image is built for another processor than the host's (exec format error)",
    ],
    [
      "a shell, a word it does not know",
      "/entrypoint.sh: line 3: gunicorn: not found",
      "command-missing",
      "its command gunicorn is not in the image",
    ],
    ["a shell, no right to run", "/bin/sh: 1: /app/start.sh: Permission denied", "permission", undefined],
    [
      "a shell, a variable",
      "/entrypoint.sh: 4: REDIS_URL: parameter not set",
      "variable-missing",
      "it misses the variable REDIS_URL",
    ],
  ])("%s", (_what, log, id, says) => {
    expect(crashed(log)).toMatchObject({ id, ...(says !== undefined && { says }) });
  });

  test("nothing that is known: its last line is quoted", () => {
    expect(crashed("booting\npanic: index out of range [3] with length 3", 2)).toMatchObject({
      id: "unknown",
      says: "its last line: panic: index out of range [3] with length 3",
    });
    expect(first({ exitCode: 1 })).toMatchObject({ id: "unknown", says: "it logged nothing" });
  });

  test("ordinary words is not taken for a cause", () => {
    const ordinary = [
      "Server listening on http://0.0.0.0:8080",
      "GET /health 404 Not Found",
      "DATABASE_URL is set, using it",
      "LOG_LEVEL: info",
      "page not found: /favicon.ico",
    ];
    for (const line of ordinary) expect(crashed(line)).toMatchObject({ id: "unknown" });
  });
});

describe("what the engine tells", () => {
  test("is believed before the log", () => {
    const seen = {
      exitCode: 137,
      outOfMemory: true,
      memoryLimitBytes: 64 * 1024 * 1024,
      log: ["DATABASE_URL is not set"],
    };
    const causes = likelyCauses({ ...silent, ...seen });
    expect(causes.map(({ id }) => id)).toEqual(["out-of-memory", "variable-missing"]);
    expect(causes[0]).toMatchObject({
      says: "it ran out of memory and was killed: it needs more than its limit of 64 MiB",
      next: expect.stringContaining("Raise `mem_limit`"),
    });
  });

  test.each([
    [
      'exec: "gunicorn": executable file not found in $PATH: unknown',
      127,
      "command-missing",
      "its command gunicorn is not in the image",
    ],
    ['exec: "/app/start.sh": permission denied: unknown', 126, "permission", undefined],
    ["Bind for 0.0.0.0:5432 failed: port is already allocated", 128, "port-in-use", undefined],
    ["no space left on device", 128, "not-started", "the engine could not start it: no space left on device"],
  ])("%s", (engineError, exitCode, id, says) => {
    expect(first({ engineError, exitCode })).toMatchObject({ id, ...(says !== undefined && { says }) });
  });

  test.each([
    [0, "ended-by-itself"],
    [126, "permission"],
    [127, "command-missing"],
    [137, "killed"],
    [139, "fault"],
  ])("exit code %d is %s", (exitCode, id) => {
    expect(first({ exitCode, log: ["working"] })).toMatchObject({ id });
  });
});

describe("a service that nobody reaches", () => {
  test.each([
    [
      "only inside its container",
      [{ address: "127.0.0.1", port: 8080 }],
      "listens-on-loopback",
      "it listens on 127.0.0.1:8080 only, which nothing outside its container can reach",
    ],
    [
      "only inside its container, in IPv6",
      [{ address: "::1", port: 8080 }],
      "listens-on-loopback",
      "it listens on [::1]:8080 only, which nothing outside its container can reach",
    ],
    [
      "on another port",
      [{ address: "0.0.0.0", port: 3000 }],
      "listens-on-other-port",
      "it listens on 0.0.0.0:3000, but requests are sent to port 8080",
    ],
    ["on none", [], "listens-nowhere", "it listens on no port yet; requests are sent to port 8080"],
    [
      "although it listens",
      [{ address: "::", port: 8080 }],
      "no-answer",
      "GET /health on port 8080: connect ECONNREFUSED 10.210.0.2:8080",
    ],
    [
      "and nobody can look inside",
      undefined,
      "no-answer",
      "GET /health on port 8080: connect ECONNREFUSED 10.210.0.2:8080",
    ],
  ])("%s", (_what, listening, id, says) => {
    expect(first({ probe: refused, listening })).toMatchObject({ id, says });
  });

  test("the port to set is one that can be reached", () => {
    const listening = [
      { address: "127.0.0.1", port: 9229 },
      { address: "0.0.0.0", port: 3000 },
    ];
    expect(first({ probe: refused, listening }).next).toContain("x-ikoma: { port: 3000 }");
  });

  test("what its log says goes before that it does not listen yet", () => {
    const log = ["waiting for the database: connect ECONNREFUSED 10.210.0.61:5432"];
    expect(likelyCauses({ ...silent, probe: refused, listening: [], log }).map(({ id }) => id)).toEqual([
      "cannot-connect",
      "listens-nowhere",
      "no-answer",
    ]);
  });
});

describe("an answer that is not accepted", () => {
  test.each([
    [404, "path-unknown", "it has no page /health (status 404)"],
    [401, "path-protected", "/health asks for a login (status 401)"],
    [503, "answers-badly", "GET /health on port 8080: status 503: database is down"],
  ])("%d", (status, id, says) => {
    const probe = { ...refused, status, said: "database is down" };
    expect(first({ probe, listening: [{ address: "0.0.0.0", port: 8080 }] })).toMatchObject({ id, says });
  });

  test("of a health command", () => {
    expect(first({ probe: { kind: "command", code: 2, said: "no response" } })).toMatchObject({
      id: "check-failed",
      says: "its health check failed: exit code 2: no response",
    });
  });
});

describe("what to do about a missing variable", () => {
  const log = ["DATABASE_URL is not set"];

  test("is to set it, where the compose file asks for it", () => {
    const next = first({ exitCode: 1, log, variables: [{ name: "DATABASE_URL", isEmpty: true }] }).next;
    expect(next).toContain("Set it: `pulumi config set --secret --path 'ikoma:secrets.shop.DATABASE_URL'`");
    expect(next).toContain("or `DATABASE_URL` in `env` of the app's settings");
    // The Bridge's own settings stand elsewhere.
    expect(next).not.toContain("ikoma:apps");
  });

  test("is to give it to the service, where the compose file does not", () => {
    expect(first({ exitCode: 1, log }).next).toContain("Add `DATABASE_URL: ${DATABASE_URL:?}` to `environment` of web");
  });

  test("an empty one is named last: it may be meant so", () => {
    const variables = [
      { name: "API_TOKEN", isEmpty: true },
      { name: "PORT", isEmpty: false },
    ];
    expect(likelyCauses({ ...silent, exitCode: 3, log: ["bye"], variables }).map(({ says }) => says)).toEqual([
      "its last line: bye",
      "it was given no value for API_TOKEN",
    ]);
  });
});
