import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pushTinyWeb, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;

/** Enough for Node, too little for what OUT_OF_MEMORY_AFTER_MS allocates. */
const compose = webAlone.replace("    environment:", "    mem_limit: 128m\n    environment:");
/** The bar is 0.7 s on a machine that does nothing else; a busy one must not make the test fail. */
const toldWithinMs = 2000;

beforeAll(async () => {
  lab = await startDeployLab("failures");
  const settings = { env: { GREETING: "welcome" }, health: { path: "/health", timeoutSeconds: 20 } };
  ({ project, app } = await lab.addProject({ name: "shop", compose, settings }));
  await project.apply("--bundle", await project.bundle(await pushTinyWeb("v1")));
  await project.configure(["health", "timeoutSeconds"], 2);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const failures = [
  {
    what: "crashes at its start",
    switches: { CRASH_AT_START_CODE: "3" },
    code: "RELEASE_CRASHED",
    details: {
      exitCode: 3,
      outOfMemory: false,
      cause: expect.stringMatching(/^its last line: .*crashing at start on purpose$/),
      emptyVariables: ["API_TOKEN", "LOG_ENV"],
    },
    hint: /docker compose up web/,
  },
  {
    what: "misses a variable",
    switches: { REQUIRE_ENV: "SESSION_SECRET" },
    code: "RELEASE_CRASHED",
    details: { exitCode: 1, cause: "it misses the variable SESSION_SECRET" },
    hint: /Add `SESSION_SECRET: \$\{SESSION_SECRET:\?\}` .*pulumi config set/,
  },
  {
    what: "runs out of memory",
    switches: { OUT_OF_MEMORY_AFTER_MS: "1", NEVER_HEALTHY: "1" },
    code: "RELEASE_CRASHED",
    details: { exitCode: 137, outOfMemory: true, memoryLimitBytes: 128 * 1024 * 1024 },
    hint: /mem_limit/,
  },
  {
    what: "listens where nothing reaches it",
    switches: { LISTEN_ADDRESS: "127.0.0.1" },
    code: "RELEASE_UNHEALTHY",
    details: {
      listening: [{ address: "127.0.0.1", port: 8080 }],
      cause: "it listens on 127.0.0.1:8080 only, which nothing outside its container can reach",
      probe: { kind: "http", path: "/health", port: 8080, said: expect.stringContaining("ECONNREFUSED") },
    },
    hint: /0\.0\.0\.0/,
  },
  {
    what: "listens on another port",
    switches: { WRONG_PORT: "3000" },
    code: "RELEASE_UNHEALTHY",
    details: {
      listening: [{ address: "::", port: 3000 }],
      cause: "it listens on [::]:3000, but requests are sent to port 8080",
    },
    hint: /x-ikoma: \{ port: 3000 \}/,
  },
  {
    what: "is never healthy",
    switches: { NEVER_HEALTHY: "1" },
    code: "RELEASE_UNHEALTHY",
    details: {
      listening: [{ address: "::", port: 8080 }],
      cause: "GET /health on port 8080: status 503: not healthy",
      probe: { kind: "http", path: "/health", port: 8080, status: 503, said: "not healthy" },
    },
    hint: /answer/,
  },
];

test.each(failures)("a release that $what is told with its cause", async ({ switches, code, details, hint }) => {
  const bundle = await project.bundle(await image(switches));
  const startedAtMs = Date.now();
  const failure = await project.applyBadly("--bundle", bundle);
  expect(failure).toMatchObject({ exitCode: 10, code });
  expect(failure.details).toMatchObject({ service: "web", serving: { number: 1, version: "v1" }, ...details });
  expect(failure.hint).toMatch(hint);
  expect(failure.message).toContain(failure.details["cause"]);
  if (code !== "RELEASE_CRASHED") return;
  const tookMs = Date.now() - (await diedAtMs(startedAtMs));
  console.info(`told ${Math.round(tookMs)} ms after the exit`);
  expect(tookMs).toBeLessThan(toldWithinMs);
});

test("for people the cause comes first, then what was seen, the log and the next step", async () => {
  const bundle = await project.bundle(await image({ LISTEN_ADDRESS: "127.0.0.1" }));
  const { code, stderr } = await project.ikoma("deploy", "apply", "--yes", "--bundle", bundle);
  expect(code).toBe(10);
  const error = stderr.slice(stderr.indexOf("error RELEASE_UNHEALTHY"));
  expect(error.replaceAll(/10\.210\.\d+\.\d+/g, "ADDRESS").replaceAll(/[0-9a-f]{8}:/g, "INSTANCE:")).toBe(
    `error RELEASE_UNHEALTHY The service web did not become healthy within 2 s
  likely      it listens on 127.0.0.1:8080 only, which nothing outside its container can reach
  probe       GET /health on port 8080: connect ECONNREFUSED ADDRESS:8080
  listens on  127.0.0.1:8080
  no value    API_TOKEN, LOG_ENV
  serves on   #1 (v1), as before
  web | tiny-web bad7 INSTANCE: listening on 8080
  next: Let it listen on 0.0.0.0 (often \`HOST=0.0.0.0\` or \`--host 0.0.0.0\`).
`,
  );
  expect(await app.versions()).toEqual(["v1"]);
});

test("a command that is not in the image is told as the engine's refusal to start it", async () => {
  const entrypoint = `    entrypoint: ["/no/such/program"]\n    environment:`;
  await writeFile(join(project.folder, "compose.yaml"), compose.replace("    environment:", entrypoint));
  const failure = await project.applyBadly("--bundle", await project.bundle(await image({})));
  expect(failure).toMatchObject({
    exitCode: 10,
    code: "RELEASE_CRASHED",
    details: {
      happened: "The service web could not be started (exit code 127)",
      cause: "its command /no/such/program is not in the image",
      engineError: expect.stringContaining("no such file or directory"),
    },
  });
});

let count = 0;

function image(switches: Record<string, string>): Promise<TinyWebImage> {
  count += 1;
  return pushTinyWeb(`bad${count}`, switches);
}

/** When the first container of the app ended by itself since then, by the engine. */
async function diedAtMs(sinceMs: number): Promise<number> {
  const events = `docker events --since ${sinceMs / 1000} --until ${Date.now() / 1000} --filter event=die --format '{{.TimeNano}}'`;
  const { stdout } = await lab.host.vps.exec(events);
  const [first] = stdout.trim().split("\n");
  return Number(first) / 1e6;
}
