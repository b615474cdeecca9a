import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { stringify } from "yaml";
import * as z from "zod";
import { ApiClient } from "../../src/core/link/api-client.ts";
import { pushTinyWeb, until } from "./fixture/index.ts";
import { askEdge } from "./fixture/edge-state.ts";
import { readLedger } from "./fixture/ledger-view.ts";
import { readApplied, readFailure } from "./project/command-results.ts";
import { BridgeProject, startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

/** The Bridge on a server, deployed by itself, and an app that is deployed through it. */

let lab: DeployLab;
let bridge: BridgeProject;
let project: AppProject;
let app: AppOnServer;
let agentToken: { id: string; text: string; file: string };
let callerToken: { id: string; text: string; file: string };
let bundles: string[];
let bridgeBundles: string[];

beforeAll(async () => {
  lab = await startDeployLab("bridge");
  const images = await Promise.all(["v1", "v2"].map((version) => pushTinyWeb(version)));
  ({ project, app } = await lab.addProject({ name: "shop", compose: webAlone }));
  bridge = await BridgeProject.create(project, lab.host);
  bridgeBundles = [await bridge.bundle("b1"), await bridge.bundle("b2"), await bridge.bundle("b3", 'CMD ["false"]')];
  bundles = [];
  for (const image of images) bundles.push(await project.bundle(image));
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

async function onHost(command: string): Promise<string> {
  const { code, stdout, stderr } = await lab.host.vps.exec(command);
  if (code !== 0) throw new Error(`${command}: exit code ${code}\n${stderr}`);
  return stdout.trim();
}

/** The agent is told of the API over SSH, once; from then on the app's host is reached through it. */
async function dialOut(): Promise<void> {
  const api = { url: bridge.url, caCert: bridge.caCert };
  const config = { "ikoma:hosts": { vps1: lab.host.config }, "ikoma:setup": { vps1: { api } } };
  await writeFile(join(project.folder, "Pulumi.hosts.yaml"), stringify({ config }));
  const { code, stderr } = await project.ikoma("host", "bootstrap", "vps1", "--api-token-file", agentToken.file);
  if (code !== 0) throw new Error(`no bootstrap: ${stderr}`);
  await project.reachHost(throughBridge());
}

function throughBridge() {
  return { api: bridge.url, caCert: bridge.caCert };
}

function startShop(bundle: string) {
  const variables = { IKOMA_API_TOKEN_FILE: callerToken.file };
  return project.startIkomaWith(variables, "deploy", "apply", "--yes", "--json", "--bundle", bundle);
}

/** The version that serves, as the host says through the Bridge; undefined where it is not reached. */
async function liveVersion(): Promise<string | undefined> {
  const variables = { IKOMA_API_TOKEN_FILE: callerToken.file };
  const { stdout } = await project.startIkomaWith(variables, "status", "--live", "--json").ended;
  const state = z.object({ current: z.object({ version: z.string() }) }).optional();
  const { shop } = z
    .object({ data: z.object({ apps: z.object({ shop: z.object({ state }) }) }) })
    .parse(JSON.parse(stdout)).data.apps;
  return shop.state?.current.version;
}

async function begun(name: string): Promise<string[]> {
  const { operations } = await readLedger(lab.host.vps, name);
  return operations.map(({ kind, state }) => `${kind} ${state}`);
}

async function edgeWorker(): Promise<string> {
  const told = await askEdge(await lab.host.connection(), "show info");
  return /^Pid: (\d+)$/m.exec(told)?.[1] ?? "";
}

test("it is deployed over SSH as an app, unprivileged, and its database is reached on the host alone", async () => {
  expect(await bridge.apply("--bundle", bridgeBundles[0] ?? "")).toBe("b1");
  expect(await bridge.stackText()).toMatch(/ikoma:bridge:\n(.*\n)* {4}bundle: .*bridge-bundle@sha256:/);
  expect(await bridge.drift()).toBe("clean");
  const format = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Privileged}}";
  expect(await onHost(`docker inspect --format '${format}' $(docker ps -q --filter name=api)`)).toBe(
    "ikoma true [ALL] false",
  );
  await onHost("exec 3<>/dev/tcp/127.0.0.1/5433");
  await expect(onHost(`exec 3<>/dev/tcp/${lab.host.vps.address}/5433`)).rejects.toThrow("refused");
  const outputs = await project.shell("pulumi stack output bridge --stack bridge --json");
  expect(JSON.parse(outputs.stdout)).toEqual({ api: bridge.url, host: "vps1" });
});

test("tokens are made over HTTPS by an administrator, who can do nothing else", async () => {
  agentToken = await bridge.token("agent", "--host", "vps1");
  callerToken = await bridge.token("caller", "--caller", "--host", "vps1");
  expect((await bridge.tokens()).map(({ kind }) => kind)).toEqual(["agent", "caller"]);
  expect(readFailure(await bridge.tokenCommand(["list"], callerToken.text))).toMatchObject({ code: "API_AUTH" });
  const admin = new ApiClient({ ...throughBridge(), url: bridge.url, token: () => bridge.adminToken });
  await expect(admin.stream({ method: "POST", path: "/v1/hosts/vps1/channels" })).rejects.toMatchObject({
    status: 401,
  });
  await admin.close();
  await dialOut();
});

test("a deploy through it outlives a reload of the edge, and loses and repeats nothing", async () => {
  await until("the agent has dialled out", async () => {
    return (await bridge.tokens()).some(({ id, usedMs }) => id === agentToken.id && usedMs !== undefined);
  });
  expect(readApplied(await startShop(bundles[0] ?? "").ended).apps).toMatchObject({ shop: { version: "v1" } });
  await lab.host.agentProcess.hold("gating");
  await using command = startShop(bundles[1] ?? "");
  await app.reached("gating");
  const worker = await edgeWorker();
  await lab.host.addApp("neighbour");
  expect(await edgeWorker()).not.toBe(worker);
  await lab.host.agentProcess.letGo();
  expect(readApplied(await command.ended).apps).toMatchObject({ shop: { version: "v2" } });
  expect((await begun("shop")).filter((each) => each.startsWith("release.apply"))).toEqual([
    "release.apply succeeded",
    "release.apply succeeded",
  ]);
});

test("it is replaced while an app is deployed through it, and the host is there again by itself", async () => {
  // A phase that the Bridge's own deploy (`strategy: replace`) does not come to.
  await project.configure(["strategy"], { canary: { steps: [{ percent: 50, seconds: 1 }] } });
  await lab.host.agentProcess.hold("shifting");
  await using command = startShop(bundles[0] ?? "");
  await app.reached("shifting");
  expect(await bridge.apply("--bundle", bridgeBundles[1] ?? "")).toBe("b2");
  expect(command.isOver).toBe(false);
  await lab.host.agentProcess.letGo();
  expect(readApplied(await command.ended).apps).toMatchObject({ shop: { version: "v1" } });
  expect(await liveVersion()).toBe("v1");
  await bridge.rollBack();
  expect((await bridge.tokens()).map(({ id }) => id)).toEqual([agentToken.id, callerToken.id]);
  expect(await until("the host is reached", liveVersion)).toBe("v1");
});

test("it is deployed through itself, and a release of it that does not start gives the place back", async () => {
  await bridge.reachHost(throughBridge());
  const itself = (bundle: string) =>
    project.startIkomaWith(
      { IKOMA_API_TOKEN_FILE: callerToken.file },
      ...["deploy", "apply", "--stack", "bridge", "--yes", "--json", "--redeploy", "--bundle", bundle],
    ).ended;
  expect(readApplied(await itself(bridgeBundles[1] ?? "")).apps).toMatchObject({ bridge: { version: "b2" } });
  expect(readFailure(await itself(bridgeBundles[2] ?? ""))).toMatchObject({ code: "RELEASE_CRASHED", exitCode: 10 });
  expect(await until("the host is reached", liveVersion)).toBe("v1");
});
