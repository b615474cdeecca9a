import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import * as z from "zod";
import { SupabaseCloud, type Answer } from "../../../../test/doubles/supabase/index.ts";
import { supabaseRun, type WatchedRun } from "../../../../test/rigs/supabase-run.ts";
import { IkomaError } from "../../errors.ts";
import { SupabaseHttp } from "./supabase-http.ts";

let double: SupabaseCloud;

beforeEach(async () => {
  double = await SupabaseCloud.start();
});

afterEach(async () => {
  await double[Symbol.asyncDispose]();
});

function http(run: WatchedRun, baseUrl = double.url): SupabaseHttp {
  const headers = { authorization: `Bearer ${double.accessToken}` };
  return new SupabaseHttp({ name: "The API", baseUrl, headers, loginHint: "Log in." }, run);
}

const everything = z.array(z.looseObject({ ref: z.string() }));
const list = { method: "GET", path: "/v1/projects" } as const;

function next(...answers: (Answer | "lost")[]): void {
  double.instead.push(...answers.map((answer) => ({ fits: () => true, answer })));
}

test("too many requests are asked again when the API says, within bounds", async () => {
  const run = supabaseRun({});
  next([429, {}, { "retry-after": "7" }], [429, {}, { "retry-after": "86400" }], [503]);
  await expect(http(run).json(list, everything)).resolves.toHaveLength(1);
  expect(run.pausesMs).toEqual([7_000, 60_000, 4_000]);
});

test("a date says when, too", async () => {
  const run = supabaseRun({});
  next([429, {}, { "retry-after": new Date(Date.now() + 30_000).toUTCString() }]);
  await http(run).json(list, everything);
  expect(run.pausesMs[0]).toBeGreaterThan(20_000);
  expect(run.pausesMs[0]).toBeLessThanOrEqual(30_000);
});

test("it is asked so often and not more", async () => {
  const run = supabaseRun({});
  next([503], [503], "lost", [429, { message: "Rate limit exceeded" }], [503]);
  const told = { code: "SUPABASE_UNREACHABLE", message: expect.stringContaining("429: Rate limit exceeded") };
  await expect(http(run).json(list, everything)).rejects.toMatchObject(told);
  expect(double.asked).toHaveLength(4);
});

test("what must not be done twice is sent once, unless it was turned away", async () => {
  const run = supabaseRun({});
  const make = { method: "POST", path: "/v1/projects", body: { name: "new" }, once: true } as const;
  next([429, {}, { "retry-after": "1" }], "lost");
  await expect(http(run).send(make)).rejects.toMatchObject({ code: "SUPABASE_UNREACHABLE" });
  expect(double.asked.map(({ method }) => method)).toEqual(["POST", "POST"]);
  expect(double.projects).toHaveLength(2);
});

test.each([
  [401, "SUPABASE_AUTH", "Log in."],
  [403, "SUPABASE_AUTH", "Log in."],
  [400, "SUPABASE_REFUSED", undefined],
  [404, "SUPABASE_REFUSED", undefined],
])("%s is %s, and what it says holds no secret", async (status, code, hint) => {
  const run = supabaseRun({ PASSWORD: "correct horse" });
  next([status, { message: `"correct horse" of Bearer ${double.accessToken} is too short` }]);
  const error: unknown = await http(run)
    .send(list)
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code, ...(hint !== undefined && { hint }) });
  expect(String(error)).not.toMatch(/correct horse|sbp_/);
});

/** A server that takes requests and answers none. */
async function silentServer(onRequest: () => void = () => undefined): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(onRequest);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

test("an answer that takes too long, or is none of Supabase's, says so", async () => {
  await using silent = await silentServer();
  const run = supabaseRun({}, { patience: { answerMs: 40, retries: 0, comingUpMs: 0 } });
  await expect(http(run, silent.url).json(list, everything)).rejects.toMatchObject({
    code: "SUPABASE_UNREACHABLE",
    message: `The API (${silent.url}) cannot be reached: no answer within 0.04 s.`,
  });
  next([200, "<html>"]);
  const strange = "answers GET /v1/projects with something else than Supabase does";
  await expect(http(supabaseRun({})).json(list, everything)).rejects.toMatchObject({
    code: "SUPABASE_UNREACHABLE",
    message: expect.stringContaining(strange),
  });
});

test("an answer that breaks off is asked for again, and one that does not end is late", async () => {
  let asked = 0;
  const halting = createServer((_request, response) => {
    asked += 1;
    response.write('[{"ref":');
    if (asked === 1) setImmediate(() => response.destroy());
    if (asked === 2) response.end('"whole"}]');
  });
  halting.listen(0, "127.0.0.1");
  await once(halting, "listening");
  const address = `http://127.0.0.1:${(halting.address() as AddressInfo).port}`;
  await expect(http(supabaseRun({}), address).json(list, everything)).resolves.toEqual([{ ref: "whole" }]);
  const run = supabaseRun({}, { patience: { answerMs: 100, retries: 0, comingUpMs: 0 } });
  await expect(http(run, address).json(list, everything)).rejects.toMatchObject({
    code: "SUPABASE_UNREACHABLE",
    message: expect.stringContaining("no answer within 0.1 s"),
  });
  halting.closeAllConnections();
  halting.close();
});

test("of a secret at the end of what is shown nothing is left", async () => {
  next([400, { message: `${"x".repeat(295)}correct horse` }]);
  const told = http(supabaseRun({ PASSWORD: "correct horse" })).send(list);
  await expect(told).rejects.toMatchObject({ message: expect.not.stringContaining("corre") });
});

test("a key with a line break is refused before anything is asked, and told to nobody", async () => {
  const name = "The API";
  const headers = { authorization: `Bearer ${double.accessToken}\nsbp_second` };
  const endpoint = { name, baseUrl: double.url, headers, loginHint: "Log in." };
  expect(() => new SupabaseHttp(endpoint, supabaseRun({}))).toThrow(
    expect.objectContaining({ code: "SUPABASE_AUTH", hint: "Log in.", message: expect.not.stringContaining("sbp_") }),
  );
  const ended = { ...endpoint, headers: { authorization: `Bearer ${double.accessToken}\n` } };
  await expect(new SupabaseHttp(ended, supabaseRun({})).json(list, everything)).resolves.toHaveLength(1);
});

test("why it cannot be reached is said in its own words alone", async () => {
  const run = supabaseRun({}, { patience: { answerMs: 5_000, retries: 0, comingUpMs: 0 } });
  const error: unknown = await http(run, "http://127.0.0.1:1")
    .send(list)
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "SUPABASE_UNREACHABLE" });
  expect(error).not.toHaveProperty("cause");
});

test("a redirect is not followed: another server must not see the keys", async () => {
  await using elsewhere = await SupabaseCloud.start();
  next([302, undefined, { location: `${elsewhere.url}${list.path}` }]);
  const run = supabaseRun({}, { patience: { answerMs: 5_000, retries: 0, comingUpMs: 0 } });
  await expect(http(run).send(list)).rejects.toMatchObject({ code: "SUPABASE_UNREACHABLE" });
  expect(elsewhere.asked).toEqual([]);
});

test("who cancels does not wait for an answer", async () => {
  const cancellation = new AbortController();
  await using silent = await silentServer(() => {
    cancellation.abort();
  });
  // Longer than a test may take.
  const run = supabaseRun(
    {},
    { signal: cancellation.signal, patience: { answerMs: 600_000, retries: 3, comingUpMs: 0 } },
  );
  await expect(http(run, silent.url).json(list, everything)).rejects.toMatchObject({ code: "CANCELLED" });
});

test("who cancels during a pause ends it, and nothing is asked again", async () => {
  const cancellation = new AbortController();
  const { signal } = cancellation;
  const pause = async (ms: number): Promise<void> => {
    cancellation.abort();
    await delay(ms, undefined, { signal }).catch((cause: unknown) => {
      throw new IkomaError("CANCELLED", "It was stopped in the pause.", { cause });
    });
  };
  next([503]);
  const asked = http(supabaseRun({}, { signal, pause })).json(list, everything);
  await expect(asked).rejects.toMatchObject({ code: "CANCELLED", message: "It was stopped in the pause." });
  expect(double.asked).toHaveLength(1);
});
