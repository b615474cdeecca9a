import { expect, test } from "@jest/globals";
import type { FailureFacts } from "../../core/release/release-failure.ts";
import { IkomaError } from "../../core/errors.ts";
import { colorsFor } from "./colors.ts";
import { renderError } from "./error-view.ts";

const plain = colorsFor({}, { color: false });

test("what, the log, the cause, what next", () => {
  const error = new IkomaError("EDGE_FAILED", "The edge did not come up", {
    hint: "look",
    details: { log: ["one", "two"] },
    cause: new Error("exit 1"),
  });
  expect(renderError(error, plain)).toBe(
    "error EDGE_FAILED The edge did not come up\n  | one\n  | two\n  cause: exit 1\n  next: look\n",
  );
});

test("a service that failed its gate: what happened, the likely cause, what was seen, its log, what next", () => {
  const details: FailureFacts = {
    service: "web",
    happened: "The service web did not become healthy within 3 s",
    cause: "it listens on 127.0.0.1:8080 only, which nothing outside its container can reach",
    causes: [
      { id: "listens-on-loopback", says: "it listens on 127.0.0.1:8080 only" },
      { id: "permission", says: "it lacks a permission" },
      { id: "no-answer", says: "GET /health on port 8080: connect ECONNREFUSED 10.210.0.2:8080" },
      { id: "variable-empty", says: "it was given no value for API_TOKEN, LOG_ENV" },
    ],
    probe: { kind: "http", path: "/health", port: 8080, said: "connect ECONNREFUSED 10.210.0.2:8080" },
    listening: [
      { address: "127.0.0.1", port: 8080 },
      { address: "::", port: 9229 },
    ],
    emptyVariables: ["API_TOKEN", "LOG_ENV"],
    log: ["listening on 8080"],
    serving: { number: 2, version: "v2" },
  };
  const error = new IkomaError("RELEASE_UNHEALTHY", "…", {
    hint: "Let it listen on 0.0.0.0.",
    details: { ...details },
  });
  expect(renderError(error, plain)).toBe(`error RELEASE_UNHEALTHY The service web did not become healthy within 3 s
  likely      it listens on 127.0.0.1:8080 only, which nothing outside its container can reach
  or else     it lacks a permission
  probe       GET /health on port 8080: connect ECONNREFUSED 10.210.0.2:8080
  listens on  127.0.0.1:8080, [::]:9229
  no value    API_TOKEN, LOG_ENV
  serves on   #2 (v2), as before
  web | listening on 8080
  next: Let it listen on 0.0.0.0.
`);
});

test("a service that was killed for its memory, at its first deploy", () => {
  const details: FailureFacts = {
    service: "web",
    happened: "The service web stopped while it started (exit code 137)",
    cause: "it ran out of memory",
    causes: [],
    exitCode: 137,
    outOfMemory: true,
    memoryLimitBytes: 64 * 1024 * 1024,
    emptyVariables: [],
    log: [],
    serving: null,
  };
  const error = new IkomaError("RELEASE_CRASHED", "…", { hint: "Raise it.", details: { ...details } });
  expect(renderError(error, plain)).toBe(`error RELEASE_CRASHED The service web stopped while it started (exit code 137)
  likely     it ran out of memory
  exit code  137, killed for its memory; limit 64 MiB
  serves on  nothing: there was no release before
  next: Raise it.
`);
});
