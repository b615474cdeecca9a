import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { aRelease, imageOf, run, someAccessories } from "../../../test/doubles/host/inputs.ts";
import { OperationRunner } from "../operations/operation-runner.ts";
import { readSupabase } from "./read-supabase.ts";
import type { SupabaseView } from "../protocol/supabase-view.ts";

let on: TestHost;
let runner: OperationRunner;
/** What the gateway answers, by path; 503 where nothing is said. */
let answers: Record<string, { status: number; body: string }>;

beforeEach(async () => {
  on = await TestHost.create();
  answers = {
    "/auth/v1/health": { status: 200, body: "{}" },
    "/rest/v1/ikoma_health": { status: 404, body: '{"code":"PGRST205"}' },
    "/realtime/v1/websocket": { status: 400, body: "" },
  };
  on.engine.images.set(imageOf("auth"), { imageEnvironment: ["GOTRUE_JWT_SECRET=signs"] });
  on.engine.images.set(imageOf("realtime"), { ports: [4000], answer: () => ({ status: 200, body: "" }) });
  runner = new OperationRunner(on.host);
  const accessories = someAccessories(on, { auth: "auth", rest: "rest", realtime: "realtime" });
  expect(await run(runner, "accessories.apply", accessories)).toMatchObject({ state: "succeeded" });
  await releaseGateway();
});

async function releaseGateway(replicas = 1): Promise<void> {
  const environment = { ANON_KEY: "anon" };
  const release = aRelease(on, "gateway", {
    services: { "api-gw": { kind: "web", image: imageOf("gateway"), environment, deploy: { replicas } } },
    routes: [{ path: "/", service: "api-gw", port: 8000 }],
    program: {
      ports: [8000],
      answer: (path) => answers[path] ?? { status: path === "/" ? 200 : 503, body: "no anon upstream" },
    },
  });
  expect(await run(runner, "release.apply", release)).toMatchObject({ state: "succeeded" });
}

afterEach(async () => {
  await on.dispose();
});

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function read(secrets: Record<string, string> = { JWT_SECRET: "signs", ANON_KEY: "anon" }): Promise<SupabaseView> {
  return readSupabase(on.host, {
    app: "shop",
    parts: { gateway: "api-gw", auth: "auth", rest: "rest", realtime: "realtime" },
    anonKey: "anon",
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, value]) => [name, sha256(value)])),
  });
}

test("parts that answer well through the gateway have no problem", async () => {
  expect(await read()).toEqual({
    parts: {
      gateway: { service: "api-gw", state: "running" },
      auth: { service: "auth", state: "running" },
      rest: { service: "rest", state: "running" },
      realtime: { service: "realtime", state: "running" },
    },
  });
});

test("a part that the gateway does not reach is told, without the key", async () => {
  delete answers["/auth/v1/health"];
  const { parts } = await read();
  expect(parts["auth"]?.problem).toMatch(
    /^\/auth\/v1\/health is not answered well through the gateway: status 503: no/,
  );
  expect(parts["auth"]?.problem).not.toContain("anon");
  expect(parts["rest"]).not.toHaveProperty("problem");
});

test("another answer than that there is no such table is no sign of a database", async () => {
  answers["/rest/v1/ikoma_health"] = { status: 404, body: '{"message":"no Route matched"}' };
  expect((await read()).parts["rest"]?.problem).toContain("status 404");
});

test("containers with another secret than the settings' are told by the variable's name", async () => {
  const { parts } = await read({ JWT_SECRET: "another", ANON_KEY: "another" });
  expect(parts["auth"]?.problem).toBe("it runs with another GOTRUE_JWT_SECRET than the settings have");
  expect(parts["gateway"]?.problem).toBe("it runs with another ANON_KEY than the settings have");
});

test("a container that does not run, and one that is not there, are told apart", async () => {
  const { Id } = on.engine.named("shop-accessories-rest-1") ?? { Id: "" };
  await on.host.containers.stopAndRemove(Id);
  const realtime = on.engine.named("shop-accessories-realtime-1");
  await on.host.containers.stop(realtime?.Id ?? "", 0);
  const { parts } = await read();
  expect(parts["rest"]).toEqual({ service: "rest", state: "missing", problem: "its container is not there" });
  expect(parts["realtime"]?.problem).toBe("its container does not run (exited)");
});

test("of several replicas one that runs is asked, and each has to have the secrets", async () => {
  await releaseGateway(2);
  const first = on.engine.named("shop-2-api-gw-1");
  await on.host.containers.stop(first?.Id ?? "", 0);
  expect((await read()).parts["gateway"]).toEqual({ service: "api-gw", state: "running" });
  const second = on.engine.named("shop-2-api-gw-2-1");
  second?.Config.Env.splice(0, 1, "ANON_KEY=of-before");
  await on.host.containers.start(first?.Id ?? "");
  expect((await read()).parts["gateway"]?.problem).toBe("it runs with another ANON_KEY than the settings have");
});
