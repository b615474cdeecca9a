import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { TestHost } from "../../../test/doubles/host/host.ts";
import type { FakeContainer, Program } from "../../../test/doubles/host/engine.ts";
import { waitUntil } from "../../../test/lab/wait-until.ts";
import type { OperationContext } from "../host.ts";
import { healthCommand } from "./health-check.ts";
import { restartCounts, waitUntilHealthy } from "./health-gate.ts";
import type { GateTarget } from "./health-gate.ts";

let on: TestHost;
let logged: string[];
let stop: AbortController;
let op: OperationContext;

beforeEach(async () => {
  on = await TestHost.create();
  logged = [];
  stop = new AbortController();
  op = {
    key: "key",
    by: "anna",
    signal: stop.signal,
    enter: () => Promise.resolve(),
    step: () => undefined,
    warn: () => undefined,
    log: (service, line) => logged.push(`${service}: ${line}`),
    redact: (text) => text.replaceAll("hunter22", "[secret]"),
  };
});

afterEach(async () => {
  jest.restoreAllMocks();
  await on.dispose();
});

const plain = { app: "shop", environment: {}, service: "web", healthcheck: undefined };

const health = (timeoutSeconds = 5) => ({ path: "/healthz", status: [200, 299] as [number, number], timeoutSeconds });

async function start(service: string, program: Program = {}): Promise<FakeContainer> {
  on.engine.images.set(service, program);
  return on.engine.createContainer({ name: service, image: service });
}

async function target(service: string, program: Program, more: Partial<GateTarget> = {}): Promise<GateTarget> {
  const container = await start(service, program);
  return { app: "shop", environment: {}, service, containerId: container.Id, healthcheck: undefined, ...more };
}

function gate(targets: GateTarget[], timeoutSeconds?: number): Promise<void> {
  return waitUntilHealthy(on.host.containers, targets, health(timeoutSeconds), op);
}

describe("the command of a compose health check", () => {
  test.each([
    [{ test: "curl -f http://localhost" }, ["/bin/sh", "-c", "curl -f http://localhost"]],
    [{ test: ["CMD-SHELL", "pg_isready", "-q"] }, ["/bin/sh", "-c", "pg_isready -q"]],
    [{ test: ["CMD", "pg_isready", "-q"] }, ["pg_isready", "-q"]],
    [{ test: ["NONE"] }, undefined],
    [{ test: ["CMD"] }, undefined],
    [{ test: ["CMD-SHELL"] }, undefined],
    [{ test: [] }, undefined],
    [{ test: " " }, undefined],
    [{ test: ["CMD", "true"], disable: true }, undefined],
    [{ interval: "5s" }, undefined],
    [undefined, undefined],
    ["curl", undefined],
  ])("%j", (healthcheck, expected) => {
    expect(healthCommand(healthcheck)).toEqual(expected);
  });
});

describe("healthy is", () => {
  test("a health command that ends with 0, after as many tries as it takes", async () => {
    let tries = 0;
    const program = { exec: () => ({ code: (tries += 1) < 3 ? 1 : 0, output: "" }) };
    await gate([await target("db", program, { healthcheck: { test: ["CMD", "check"] } })]);
    expect(tries).toBe(3);
  });

  test("an accepted answer, where there is no command", async () => {
    await on.host.networks.create("net", "127.9.9.0/26", {});
    let asked = 0;
    on.engine.images.set("web", {
      ports: [8080],
      answer: (path) => ({ status: path === "/healthz" && (asked += 1) > 2 ? 204 : 404, body: "" }),
    });
    const { Id } = await on.engine.createContainer({ name: "web", image: "web", network: "net", address: "127.9.9.2" });
    await gate([
      {
        app: "shop",
        environment: {},
        service: "web",
        containerId: Id,
        healthcheck: { disable: true, test: "false" },
        http: { address: "127.9.9.2", port: 8080, host: "shop.example" },
      },
    ]);
    expect(asked).toBe(3);
  });

  test("to have stayed up for a moment, where there is neither", async () => {
    const before = Date.now();
    await gate([await target("worker", {})]);
    expect(Date.now() - before).toBeGreaterThanOrEqual(400);
  });

  test("waited for as long as was said, whatever the host's clock is set to meanwhile", async () => {
    const now = Date.now();
    let tries = 0;
    const check = (): { code: number; output: string } => {
      jest.spyOn(Date, "now").mockReturnValue(now + 3_600_000);
      return { code: (tries += 1) < 2 ? 1 : 0, output: "" };
    };
    await gate([await target("db", { exec: check }, { healthcheck: { test: ["CMD", "check"] } })]);
    expect(tries).toBe(2);
  });

  test("nothing to wait for", async () => {
    await gate([]);
  });
});

describe("a container that falls", () => {
  test("is told at once, with code, last lines and without secrets; nobody waits for the others", async () => {
    const never = await target("slow", { exec: () => ({ code: 1, output: "" }) }, { healthcheck: { test: "false" } });
    const fallen = await target(
      "web",
      { exitCode: 137, outOfMemory: true, lines: ["one", "two hunter22"] },
      { environment: { PORT: "80", MODE: "" } },
    );
    const before = Date.now();
    await expect(gate([never, fallen], 60)).rejects.toMatchObject({
      code: "RELEASE_CRASHED",
      message:
        "The service web stopped while it started (exit code 137): it ran out of memory and was killed: it needs more than the host's memory",
      details: {
        service: "web",
        exitCode: 137,
        outOfMemory: true,
        causes: [{ id: "out-of-memory" }, { id: "variable-empty", says: "it was given no value for MODE" }],
        emptyVariables: ["MODE"],
        log: ["one", "two [secret]"],
      },
    });
    expect(Date.now() - before).toBeLessThan(5000);
    expect(logged).toEqual(["web: one", "web: two [secret]"]);
    const calls = on.engine.calls.length;
    await expect(gate([fallen])).rejects.toThrow("stopped while it started");
    expect(on.engine.calls.slice(calls).some((each) => each.includes(never.containerId))).toBe(false);
  });

  test("is told although its log cannot be read", async () => {
    on.engine.refusals.set("/logs", { status: 501, message: "configured logging driver does not support reading" });
    await expect(gate([await target("web", { exitCode: 3 })])).rejects.toMatchObject({
      code: "RELEASE_CRASHED",
      message: expect.stringContaining("exit code 3"),
    });
  });

  test.each([
    ["is restarted by the engine", { RestartCount: 1 }, {}],
    ["is in a crash loop", {}, { Status: "restarting", Restarting: true }],
    ["is dead", {}, { Status: "dead", Running: false }],
  ])("or %s counts as crashed", async (_name, container, state) => {
    const fallen = await start("web");
    Object.assign(fallen, container);
    Object.assign(fallen.State, state);
    await expect(gate([{ ...plain, containerId: fallen.Id }])).rejects.toMatchObject({
      code: "RELEASE_CRASHED",
    });
  });

  test("or is removed by somebody is told to be so", async () => {
    await expect(gate([{ ...plain, containerId: "gone" }])).rejects.toThrow("was removed");
  });

  test("only counts what it did since it was asked for", async () => {
    const old = await start("db");
    Object.assign(old, { RestartCount: 4 });
    const restartsBefore = (await restartCounts(on.host.containers, {})).get(old.Id) ?? 0;
    await gate([{ ...plain, containerId: old.Id, restartsBefore }]);
    Object.assign(old, { RestartCount: 5 });
    await expect(gate([{ ...plain, containerId: old.Id, restartsBefore }])).rejects.toMatchObject({
      code: "RELEASE_CRASHED",
    });
  });
});

describe("a container that is never healthy", () => {
  test("is told after its time, with what the check said and the last lines", async () => {
    const program = { exec: () => ({ code: 2, output: "no route to hunter22" }), lines: ["waiting"] };
    const slow = await target("db", program, { healthcheck: { test: "check" } });
    await expect(gate([slow], 0.2)).rejects.toMatchObject({
      code: "RELEASE_UNHEALTHY",
      message:
        "The service db did not become healthy within 0.2 s: its health check failed: exit code 2: no route to [secret]",
      details: { service: "db", probe: { kind: "command", code: 2, said: "no route to [secret]" }, log: ["waiting"] },
    });
  });

  test("does not outlast its time because the check hangs", async () => {
    const hanging = await target("db", {}, { healthcheck: { test: "sleep 1000" } });
    on.engine.silent.add("/exec/");
    const before = Date.now();
    await expect(gate([hanging], 0.3)).rejects.toThrow("had not ended after");
    expect(Date.now() - before).toBeLessThan(5000);
  });
});

test("a cancelled operation waits no longer, and tells no more", async () => {
  const slow = await target(
    "db",
    { exec: () => ({ code: 1, output: "" }), lines: ["waiting"] },
    { healthcheck: { test: "check" } },
  );
  const waiting = gate([slow], 60);
  const outcome = expect(waiting).rejects.toThrow(/abort/);
  await waitUntil("it has been checked", () => on.engine.calls.some((each) => each.includes("/exec")));
  stop.abort();
  await outcome;
  expect(logged).toEqual([]);
});
