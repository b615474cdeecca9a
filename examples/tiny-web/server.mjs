// The smallest web application worth deploying: one file, no dependencies, a
// version that can be read from every answer, and a switch for each way in
// which a release can go bad. README.md has the table of switches.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** Every switch with its default; an empty value counts as unset. */
const DEFAULTS = {
  APP_VERSION: "dev",
  PORT: "8080",
  GREETING: "hello",
  CRASH_AT_START_CODE: "",
  CRASH_AT_START_AFTER_MS: "0",
  REQUIRE_ENV: "",
  START_DELAY_MS: "0",
  HEALTHY_AFTER_MS: "0",
  NEVER_HEALTHY: "",
  FAIL_SMOKE: "",
  FAIL_PERCENT: "0",
  FAIL_AFTER_MS: "0",
  FAIL_AFTER_REQUESTS: "",
  CRASH_AFTER_MS: "",
  CRASH_AFTER_CODE: "1",
  WRONG_PORT: "",
  IGNORE_SIGTERM: "",
  OUT_OF_MEMORY_AFTER_MS: "",
  OUT_OF_MEMORY_MAX_MB: "1024",
  LOG_ENV: "",
  LOG_GARBAGE: "",
};

/** Switches that are numbers; all are checked at the start, not when first used. */
const NUMERIC = /PORT$|_MS$|_REQUESTS$|_CODE$|_PERCENT$|_MB$/;

const settings = readSettings();
checkNumbers();
const version = settings.APP_VERSION;
const instance = randomBytes(4).toString("hex");
const startedAtMs = performance.now();
let stopping = false;
let pagesShown = 0;

if (settings.LOG_ENV) logEnvironment(settings.LOG_ENV);
if (settings.LOG_GARBAGE) logGarbage();
if (settings.CRASH_AT_START_CODE) await crashAtStart();
if (settings.REQUIRE_ENV) requireEnvironment(settings.REQUIRE_ENV);

const server = createServer(handle);
// Longer than any proxy in front keeps an idle connection: the side that sends
// requests must be the one that closes, or a request can meet a closing socket.
server.keepAliveTimeout = 75_000;
// Before the delay: process 1 of a container has no default action for SIGTERM.
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
await sleep(number("START_DELAY_MS"));
server.listen(number(settings.WRONG_PORT ? "WRONG_PORT" : "PORT"), () => {
  log(`listening on ${server.address().port}`);
});
scheduleTrouble();

/** Environment first, then what was built into the image (SWITCHES), then defaults. */
function readSettings() {
  const built = {};
  for (const pair of (process.env.SWITCHES ?? "").split(/\s+/).filter(Boolean)) {
    const [name, ...value] = pair.split("=");
    if (!(name in DEFAULTS)) {
      die(2, `SWITCHES names an unknown switch: ${name}`);
    }
    built[name] = value.join("=");
  }
  const entries = Object.entries(DEFAULTS).map(([name, fallback]) => [
    name,
    process.env[name] || built[name] || fallback,
  ]);
  return Object.fromEntries(entries);
}

function checkNumbers() {
  for (const name of Object.keys(DEFAULTS).filter((key) => NUMERIC.test(key))) {
    if (!(number(name) >= 0)) die(2, `${name} must be a number, not "${settings[name]}"`);
  }
}

function number(name) {
  return Number(settings[name]);
}

function uptimeMs() {
  return performance.now() - startedAtMs;
}

async function handle(request, response) {
  response.setHeader("x-app-version", version);
  response.setHeader("x-app-instance", instance);
  if (stopping) response.setHeader("connection", "close");
  if (shallFail()) return answer(response, 500, "failing on purpose\n");
  const url = new URL(request.url, "http://localhost");
  switch (`${request.method} ${url.pathname}`) {
    case "GET /":
      if (hasWornOut()) return answer(response, 500, "worn out on purpose\n");
      return answer(
        response,
        200,
        `${settings.GREETING} from version ${version} instance ${instance}\n`,
      );
    case "GET /health":
      return isHealthy() ? answer(response, 200, "ok\n") : answer(response, 503, "not healthy\n");
    case "GET /smoke":
      return settings.FAIL_SMOKE
        ? answer(response, 500, "smoke check failed\n")
        : answer(response, 200, "ok\n");
    case "GET /slow":
      await sleep(Math.min(Number(url.searchParams.get("ms")) || 1000, 300_000));
      return answer(response, 200, `slow answer from version ${version} instance ${instance}\n`);
    case "POST /echo":
      response.writeHead(200, {
        "content-type": request.headers["content-type"] ?? "application/octet-stream",
      });
      return request.pipe(response);
    default:
      return answer(response, 404, "not found\n");
  }
}

function answer(response, status, text) {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}

function isHealthy() {
  return !settings.NEVER_HEALTHY && uptimeMs() >= number("HEALTHY_AFTER_MS");
}

/** Health and smoke checks fail too: an application gone bad does not spare them. */
function shallFail() {
  const percent = number("FAIL_PERCENT");
  return percent > 0 && uptimeMs() >= number("FAIL_AFTER_MS") && Math.random() * 100 < percent;
}

/** Only with visitors, so that no check of the start sees it, however long that takes. */
function hasWornOut() {
  pagesShown += 1;
  return settings.FAIL_AFTER_REQUESTS !== "" && pagesShown > number("FAIL_AFTER_REQUESTS");
}

function stop(signal) {
  if (settings.IGNORE_SIGTERM && signal === "SIGTERM") return log("ignoring SIGTERM");
  log(`${signal}: finishing ${signal === "SIGTERM" ? "running requests" : "now"}`);
  stopping = true;
  server.close(() => process.exit(0));
  if (signal === "SIGINT") server.closeAllConnections();
}

async function crashAtStart() {
  await sleep(number("CRASH_AT_START_AFTER_MS"));
  die(number("CRASH_AT_START_CODE"), "crashing at start on purpose");
}

function requireEnvironment(names) {
  for (const name of names.split(",")) {
    if (!process.env[name]) die(1, `missing required environment variable ${name}`);
  }
}

function scheduleTrouble() {
  if (settings.CRASH_AFTER_MS) {
    setTimeout(
      () => die(number("CRASH_AFTER_CODE"), "crashing on purpose"),
      number("CRASH_AFTER_MS"),
    );
  }
  if (settings.OUT_OF_MEMORY_AFTER_MS) {
    setTimeout(eatMemory, number("OUT_OF_MEMORY_AFTER_MS"));
  }
}

/** Touches 16 MB each 10 ms until the container's limit ends the process, or the cap is reached. */
async function eatMemory() {
  const held = [];
  while (held.length * 16 < number("OUT_OF_MEMORY_MAX_MB")) {
    held.push(Buffer.alloc(16 * 1024 * 1024, 1));
    await sleep(10);
  }
  log(`reached the cap of ${held.length * 16} MB without being killed: is a memory limit set?`);
  setInterval(() => held.length, 60_000);
}

/** What a careless application does: prints the values of its secrets. */
function logEnvironment(names) {
  for (const name of names.split(",")) log(`${name}=${process.env[name] ?? ""}`);
}

/** Lines that break careless log handling: escapes, invalid UTF-8, NUL, no newline for 100 kB. */
function logGarbage() {
  process.stdout.write("\u001b[31mred\u001b[0m \u001b]0;title\u0007\r overwritten\n");
  process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0a]));
  process.stdout.write(`${"x".repeat(100_000)}\n`);
  process.stderr.write('{"level":"error","msg":"unterminated json\n');
}

function log(message) {
  console.log(`tiny-web ${version} ${instance}: ${message}`);
}

function die(code, message) {
  console.error(`tiny-web: ${message}`);
  process.exit(code);
}
