import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { readLedger } from "./fixture/ledger-view.ts";
import { startDeployLab } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

/** As people write it: a secret of the environment, one that is a file for local use, a configuration beside it. */
const compose = `services:
  web:
    build: .
    ports: ["8080:8080"]
    secrets: [api_token]
    configs: [{ source: greeting, target: /etc/tiny/greeting }]
  db:
    image: postgres:15
    environment: { POSTGRES_PASSWORD_FILE: /run/secrets/db_password }
    secrets: [db_password]
    volumes: ["db-data:/var/lib/postgresql/data"]
    healthcheck: { test: ["CMD-SHELL", "pg_isready -U postgres"], interval: 2s, retries: 30 }
secrets:
  api_token: { environment: API_TOKEN }
  db_password: { file: ./db_password.txt }
configs:
  greeting: { file: ./greeting.txt }
volumes:
  db-data:
`;
const greeting = "costs $5, not ${PRICE}\n";
const token = `TOKEN${randomBytes(8).toString("hex")}$HOME`;
const password = `PASSWORD${randomBytes(8).toString("hex")}`;

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;

beforeAll(async () => {
  lab = await startDeployLab("files");
  v1 = await pushTinyWeb("v1");
  ({ project, app } = await lab.addProject({ name: "filed", compose }));
  await writeFile(join(project.folder, "greeting.txt"), greeting);
  await writeFile(join(project.folder, "db_password.txt"), "only for the developer's machine");
  await project.setSecret("API_TOKEN", token);
  await project.setSecret("DB_PASSWORD", password);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

async function onServer(command: string): Promise<string> {
  const { code, stdout, stderr } = await lab.host.vps.exec(command);
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout;
}

/** A file as the container's own user sees it. */
async function inContainer(service: string, path: string): Promise<string> {
  const { name } = await app.container(service);
  return onServer(`docker exec ${name} cat ${path}`);
}

test("each container finds its files, and a database starts with its password from one", async () => {
  await project.apply("--bundle", await project.bundle(v1));
  expect(await app.versions()).toEqual(["v1"]);
  expect(await inContainer("web", "/run/secrets/api_token")).toBe(token);
  expect(await inContainer("web", "/etc/tiny/greeting")).toBe(greeting);
  const { name } = await app.container("db");
  const connected = `docker exec --env PGPASSWORD=${password} ${name} psql -h ${name} -U postgres -Atc 'select 42'`;
  expect((await onServer(connected)).trim()).toBe("42");
});

test("the secrets are in no environment, state or file but their own, which only root reaches", async () => {
  const inspected = await onServer("docker inspect $(docker ps --all --quiet)");
  for (const text of [inspected, await project.allState(), await project.stackText()]) {
    expect(text.length).toBeGreaterThan(100);
    expect(text).not.toContain(token);
    expect(text).not.toContain(password);
  }
  const holders = await onServer(
    `grep --recursive --text --files-with-matches -e '${password}' -e '${token.slice(0, 20)}' /var/lib/ikoma /tmp /etc /root`,
  );
  expect(holders.trim().split("\n")).toHaveLength(2);
  expect(holders).toMatch(/^(\/var\/lib\/ikoma\/files\/filed-(1|accessories)\/[0-9a-f]{32}\n){2}$/);
  expect(await onServer("stat -c %a:%u /var/lib/ikoma/files /var/lib/ikoma/files/filed-1")).toBe("700:0\n700:0\n");
});

test("one that was altered on the host is in the plan, and put right without a restart", async () => {
  const before = await app.container("web");
  await onServer("f=$(grep -l TOKEN /var/lib/ikoma/files/filed-1/*) && echo forged > $f");
  const { entries } = await project.plan();
  expect(JSON.stringify(entries)).toContain("/run/secrets/api_token was altered or removed on the host");
  await project.apply();
  expect(await inContainer("web", "/run/secrets/api_token")).toBe(token);
  expect(await app.container("web")).toEqual(before);
});

test("another value is another release; nothing of the one before it stays", async () => {
  const { id, startedAt } = await app.container("db");
  await project.setSecret("API_TOKEN", `${token}-renewed`);
  await project.apply();
  expect(await inContainer("web", "/run/secrets/api_token")).toBe(`${token}-renewed`);
  expect(await app.container("db")).toMatchObject({ id, startedAt });
  await until("the release before is gone", async () => {
    const folders = await onServer("ls /var/lib/ikoma/files");
    // Its network too, which the engine no longer lists while it still removes it: Docker 20.10 does not start again
    // after a power loss in that moment. The agent gives the addresses back when the engine has answered.
    const { subnetOwners } = await readLedger(lab.host.vps, "filed");
    return folders === "filed-2\nfiled-accessories\n" && !subnetOwners.includes("filed-1");
  });
});

test("after a power loss the containers find their files again, with no client there", async () => {
  await lab.host.vps.powerLoss();
  await lab.host.vps.boot();
  await lab.host.agent.handshake();
  await until("the app serves again", async () => (await app.versions()).join() === "v1");
  expect(await inContainer("web", "/run/secrets/api_token")).toBe(`${token}-renewed`);
});
