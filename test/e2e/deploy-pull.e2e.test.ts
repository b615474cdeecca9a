import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import * as z from "zod";
import type { HostWay } from "../../src/core/config/schema.ts";
import { ApiClient } from "../../src/core/link/api-client.ts";
import { storedEvent } from "../../src/core/link/link-protocol.ts";
import { residentMemory } from "../bench/resident-memory.ts";
import { pushTinyWeb, until } from "./fixture/index.ts";
import { readJournal, readLedger } from "./fixture/ledger-view.ts";
import { recreateByHand } from "./fixture/tampering.ts";
import { readApplied, readFailure } from "./project/command-results.ts";
import { ApiProcess, killProcess, saysOn, ServerCommands, startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

/** A server without inbound SSH: its agent dials out to the API, and everything goes through that. */

interface Token {
  readonly id: string;
  readonly text: string;
  readonly file: string;
}

const secret = "s3cret-that-goes-through-the-api";

let lab: DeployLab;
let api: ApiProcess;
let agentToken: Token;
let callerToken: Token;
let project: AppProject;
let app: AppOnServer;
let bundles: string[];
const pushMs: number[] = [];
const pullMs: number[] = [];
let agentBeforeMiB = 0;

beforeAll(async () => {
  lab = await startDeployLab("pull");
  const images = await Promise.all(["v1", "v2", "v3"].map((version) => pushTinyWeb(version)));
  api = await ApiProcess.start(lab.folder, lab.command);
  agentToken = await api.token("agent", "--host", "vps1");
  callerToken = await api.token("caller", "--caller", "--host", "vps1");
  const shellVariables = { IKOMA_API_TOKEN_FILE: callerToken.file };
  ({ project, app } = await lab.addProject({ name: "shop", compose: webAlone, shellVariables }));
  bundles = [];
  for (const image of images) bundles.push(await project.bundle(image));
  await project.setSecret("API_TOKEN", secret);
  await project.apply("--bundle", bundles[0] ?? "");
  agentBeforeMiB = (await residentMemory(lab.host.vps)).agentMiB;
  await dialOut();
  await measure();
  await lab.host.stopSsh();
}, 300_000);

afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

/** Deploys by push and by pull in turn, with the same bundles. */
async function measure(): Promise<void> {
  const took = z.object({ data: z.object({ durationMs: z.number() }) });
  for (const [index, push] of [true, false, true, false, true, false].entries()) {
    await project.reachHost(push ? lab.host.config : throughApi());
    const ended = await project.startApply("--bundle", bundles[(index + 1) % 3] ?? "").ended;
    readApplied(ended);
    (push ? pushMs : pullMs).push(took.parse(JSON.parse(ended.stdout)).data.durationMs);
  }
}

/** Over SSH, once: the agent is told of the API, and gets its token. */
async function dialOut(): Promise<void> {
  const setup = { vps1: { api: { url: api.url, caCert: api.caCert } } };
  const config = { "ikoma:hosts": { vps1: lab.host.config }, "ikoma:setup": setup };
  await writeFile(join(project.folder, "Pulumi.hosts.yaml"), stringify({ config }));
  await project.ikomaWell("host", "bootstrap", "vps1", "--api-token-file", agentToken.file);
}

function throughApi(): HostWay {
  return { api: api.url, caCert: api.caCert };
}

async function deployments(): Promise<string[]> {
  const ledger = await readLedger(lab.host.vps, "shop");
  return ledger.deployments.map(({ number, status, version }) => `#${number} ${version} ${status}`);
}

async function lastDeployment(): Promise<string> {
  return (await deployments()).at(-1) ?? "";
}

/** `ikoma status --live --json` of the app: the deployment's version, or the error's code. */
async function liveStatus(): Promise<{ version?: string | undefined; code?: string | undefined; message: string }> {
  const { stdout } = await project.ikoma("status", "--live", "--json");
  const state = z.object({ current: z.object({ version: z.string() }) }).optional();
  const error = z.object({ code: z.string(), message: z.string() }).optional();
  const { shop } = z
    .object({ data: z.object({ apps: z.object({ shop: z.object({ state, error }) }) }) })
    .parse(JSON.parse(stdout)).data.apps;
  return { version: shop.state?.current.version, code: shop.error?.code, message: shop.error?.message ?? "" };
}

describe("without inbound SSH", () => {
  test("another way to the same host changes nothing, for plain pulumi neither", async () => {
    expect(await project.plan()).toMatchObject({ changes: false });
    expect(await project.pulumiWell("up", "--yes", "--skip-preview", "--expect-no-changes")).toMatch(/\d+ unchanged/);
  });

  test("a deploy, a rollback, drift and status go through the API, at about the price of a push", async () => {
    await project.apply("--bundle", bundles[2] ?? "");
    expect(await app.versions()).toEqual(["v3"]);
    expect(await app.variable("API_TOKEN")).toBe(secret);
    expect(await liveStatus()).toMatchObject({ version: "v3" });
    await project.rollBack();
    expect(await app.versions()).toEqual(["v1"]);

    const web = await app.container("web");
    await recreateByHand(lab.host.vps, web.name, { environment: { GREETING: "by hand" } });
    expect(await project.drift()).toMatchObject({ state: "drifted", exitCode: 7 });
    await project.apply();
    expect(await project.drift()).toMatchObject({ state: "clean", exitCode: 0 });

    const median = (times: number[]): number => times.toSorted((a, b) => a - b)[1] ?? 0;
    const { agentMiB, totalMiB } = await residentMemory(lab.host.vps);
    console.log(
      `a deploy by push: ${pushMs.join(", ")} ms; by pull: ${pullMs.join(", ")} ms; ` +
        `agent ${agentMiB.toFixed(0)} MiB (${agentBeforeMiB.toFixed(0)} before it dialled out), with the edge ${totalMiB.toFixed(0)} MiB`,
    );
    expect(median(pullMs)).toBeLessThan(median(pushMs) * 1.5);
    expect(totalMiB).toBeLessThan(110);
  });

  test("what has to be run on the server itself says that it cannot", async () => {
    await writeFile(
      join(project.folder, "Pulumi.hosts.yaml"),
      stringify({ config: { "ikoma:hosts": { vps1: throughApi() } } }),
    );
    const failure = readFailure(await project.ikoma("host", "bootstrap", "vps1", "--json"));
    expect(failure).toMatchObject({ code: "HOST_SHELL_NEEDED", exitCode: 2 });
  });

  test("it can be run there, by the agent's socket: the agent is replaced, and dials out again", async () => {
    const commands = await ServerCommands.install(lab.host.vps, lab.command);
    const hosts = { vps1: { socket: "/var/lib/ikoma/run/agent.sock" } };
    const setup = { vps1: { api: { url: api.url, caCert: api.caCert }, imageBudgetGb: 11 } };
    const file = stringify({ config: { "ikoma:hosts": hosts, "ikoma:setup": setup } });
    const changed = await commands.ikoma(file, "host", "bootstrap", "vps1", "--json");
    expect(changed).toMatchObject({ code: 0 });
    expect(JSON.parse(changed.stdout)).toMatchObject({ kind: "HostBootstrapped", data: { changed: true } });
    expect((await commands.ikoma(file, "host", "status")).stdout).toContain("/var/lib/ikoma/run/agent.sock");
    await until("it is reached through the API", async () => (await liveStatus()).version !== undefined);
  });
});

test("an API that is killed in the middle of a deploy and comes back has cost nothing, no event either", async () => {
  await lab.host.agentProcess.hold("gating");
  await using command = project.startApply("--bundle", bundles[1] ?? "");
  await app.reached("gating");
  await api.kill();
  await lab.host.agentProcess.letGo();
  await until("the server has finished alone", async () => (await lastDeployment()).endsWith("v2 current"));
  expect(command.isOver).toBe(false);
  await api.startAgain();
  expect(readApplied(await command.ended)).toMatchObject({ apps: { shop: { version: "v2" } } });
  expect((await deployments()).filter((each) => each.endsWith("current"))).toHaveLength(1);

  const journal = await readJournal(lab.host.vps);
  const reader = new ApiClient({ url: api.url, caCert: api.caCert, token: () => callerToken.text });
  const told = await until("all is told", async () => {
    const answer = await reader.json({ method: "GET", path: "/v1/hosts/vps1/events?limit=1000" });
    const { events } = z.object({ events: z.array(storedEvent) }).parse(answer);
    const ended = events.filter(({ event }) => event.type === "ended");
    const last = journal.at(-1)?.key;
    return ended.some(({ event }) => "operation" in event && event.operation === last) && events;
  });
  await reader.close();
  expect(told.map(({ number }) => number)).toEqual(told.map((_, index) => index + 1));
  expect(told.filter(({ event }) => event.type === "gap")).toEqual([]);
  const byOperation = Map.groupBy(told, ({ event }) => ("operation" in event ? event.operation : ""));
  expect(byOperation.size).toBeGreaterThan(5);
  for (const [key, events] of byOperation) {
    const kept = journal.filter((each) => each.key === key);
    const lines = events.map(({ event }) => `${event.type} ${"name" in event ? event.name : ""} ${event.message}`);
    expect(lines.filter((line) => !line.startsWith("ended "))).toEqual(
      kept.map(({ type, name, message }) => `${type} ${name} ${message}`),
    );
  }
  const everything = await api.everythingKept();
  expect(everything).toContain("release.apply");
  for (const text of [secret, agentToken.text, callerToken.text]) expect(everything).not.toContain(text);
});

test("a host that is away queues the deploy that waits, and never does what was cancelled or whose caller was killed", async () => {
  const before = await readLedger(lab.host.vps, "shop");
  const apply = (bundle: number) => project.startApply("--bundle", bundles[bundle] ?? "", "--wait-for-host", "60");
  await lab.host.run("docker stop --time 10 ikoma-agent");
  {
    await using cancelled = apply(0);
    await until("it is queued", saysOn(cancelled, "queued: vps1 was last seen"));
    process.kill(cancelled.pid, "SIGINT");
    expect(readFailure(await cancelled.ended)).toMatchObject({ code: "CANCELLED", exitCode: 8 });
  }
  const killed = apply(0);
  await until("it is queued", saysOn(killed, "queued: vps1 was last seen"));
  const engines = await killed.children();
  await Promise.all([killed.kill(), ...engines.map(killProcess)]);

  expect(await project.applyBadly("--bundle", bundles[0] ?? "")).toMatchObject({ code: "HOST_AWAY", exitCode: 4 });
  await project.configure(["env", "GREETING"], "queued");
  await using waiting = apply(1);
  await until("it is queued", saysOn(waiting, "queued: vps1 was last seen"));
  expect(await liveStatus()).toMatchObject({ code: "HOST_AWAY", message: expect.stringContaining("was last seen") });
  await lab.host.run("docker start ikoma-agent");
  expect(readApplied(await waiting.ended)).toMatchObject({ apps: { shop: { version: "v2" } } });
  expect(await app.variable("GREETING")).toBe("queued");
  const after = await readLedger(lab.host.vps, "shop");
  expect(after.deployments.slice(before.deployments.length).map(({ version }) => version)).toEqual(["v2"]);
  const begun = after.operations.slice(before.operations.length).map(({ kind }) => kind);
  expect(begun).toEqual([...new Set(begun)]);
});

test("a token that is wrong, of another host, or taken back opens nothing", async () => {
  const ask = async (variables: Record<string, string>) => {
    const asking = await lab.addProject({
      name: `ask-${Object.values(variables).join("").slice(-8).toLowerCase()}`,
      compose: webAlone,
      host: throughApi(),
      shellVariables: variables,
    });
    return readFailure(await asking.project.ikoma("host", "status", "vps1", "--json"));
  };
  const other = await api.token("other", "--caller", "--host", "vps2");
  const last = callerToken.text.at(-1) === "0" ? "1" : "0";
  expect(await ask({})).toMatchObject({ code: "API_AUTH", exitCode: 3 });
  expect(await ask({ IKOMA_API_TOKEN: callerToken.text.slice(0, -1) + last })).toMatchObject({ code: "API_AUTH" });
  expect(await ask({ IKOMA_API_TOKEN: other.text })).toMatchObject({
    code: "API_AUTH",
    message: "This token may not reach the host vps1.",
  });
  await api.revoke(callerToken.id);
  expect(await liveStatus()).toMatchObject({ code: "API_AUTH" });
});
