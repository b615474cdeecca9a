import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { Decrypter, generateIdentity, identityToRecipient } from "age-encryption";
import * as z from "zod";
import { backupView } from "../../src/agent/protocol/backup-views.ts";
import { startStorage } from "../doubles/object-storage/index.ts";
import { shellBlocks } from "./documents/shell-blocks.ts";
import { pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, webWithDatabase } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let v2: TinyWebImage;

const password = "never-needed-for-a-backup";
const folder = "/var/lib/ikoma/backups/vault";

beforeAll(async () => {
  lab = await startDeployLab("backups");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  const settings = {
    env: { GREETING: "one" },
    health: { path: "/health", timeoutSeconds: 20 },
    backup: { maxAgeMinutes: 30, level: "compare" },
  };
  ({ project, app } = await lab.addProject({ name: "vault", compose: webWithDatabase, settings }));
  await project.setSecret("POSTGRES_PASSWORD", password);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** A command on the server, expected to go well. */
async function onServer(command: string, stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await lab.host.vps.exec(command, stdin === undefined ? {} : { stdin });
  if (code !== 0) throw new Error(`${command}: ${stderr}`);
  return stdout.trim();
}

/** SQL on the server's own socket. */
async function query(sql: string, database = "shop"): Promise<string> {
  const { name } = await app.container("db");
  return onServer(`docker exec -i ${name} psql -U shop -d ${database} -Atq --set=ON_ERROR_STOP=1`, sql);
}

const listed = z.object({ data: z.object({ backups: z.array(backupView), unreadable: z.array(z.string()) }) });

async function backups(): Promise<z.infer<typeof backupView>[]> {
  const { code, stdout, stderr } = await project.ikoma("backup", "list", "--json");
  if (code !== 0) throw new Error(stdout + stderr);
  return listed.parse(JSON.parse(stdout)).data.backups;
}

async function newest(): Promise<z.infer<typeof backupView>> {
  const found = (await backups()).at(-1);
  if (found === undefined) throw new Error("there is no backup");
  return found;
}

/** A command on backups, expected to go well. */
async function well(...args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await project.ikoma("backup", ...args, "--json");
  if (code !== 0) throw new Error(`${args.join(" ")}: exit code ${code ?? "none"}\n${stdout}${stderr}`);
  return z.object({ data: z.unknown() }).parse(JSON.parse(stdout)).data;
}

/** The same, expected to fail: the error. */
async function badly(...args: readonly string[]): Promise<{ code: string; message: string }> {
  const { code, stdout } = await project.ikoma("backup", ...args, "--json");
  expect(code).not.toBe(0);
  return z.object({ error: z.object({ code: z.string(), message: z.string() }) }).parse(JSON.parse(stdout)).error;
}

test("the first deploy takes a backup and proves it before anything of the release runs", async () => {
  const { apps, plan } = await project.apply("--bundle", await project.bundle(v1));
  expect(apps["vault"]).toMatchObject({ number: 1, version: "v1" });
  expect(plan.map(({ part, operation }) => `${part} ${operation}`)).toContain("backup create");
  expect(await backups()).toMatchObject([
    { service: "db", database: "shop", tables: 0, verified: { level: "compare" } },
  ]);
  await query(`CREATE TABLE orders (id serial PRIMARY KEY, what text);
CREATE SCHEMA "odd ""name"""; CREATE TABLE "odd ""name""".t (x int); INSERT INTO "odd ""name""".t VALUES (1);
CREATE ROLE reader LOGIN PASSWORD 'reads-only'; GRANT SELECT ON orders TO reader;
ALTER DATABASE shop SET search_path = public, "odd ""name"""; ALTER DATABASE shop SET work_mem = '5MB';
INSERT INTO orders (what) SELECT md5(n::text) FROM generate_series(1, 20000) n;`);
});

test("an unchanged deploy takes none, one that changes something goes on with a young one", async () => {
  expect(await project.applyAgain()).toEqual([]);
  await project.configure(["env", "GREETING"], "two");
  await project.apply();
  expect(await backups()).toHaveLength(1);
});

test("a backup is root's alone, and holds no password", async () => {
  expect(await onServer(`stat -c '%a %U' ${folder}/.. ${folder} ${folder}/*`)).toMatch(/^(700 root\n?)+$/);
  expect(await onServer(`stat -c '%a %U' ${folder}/*/*`)).toMatch(/^(600 root\n?)+$/);
  await well("create");
  const { id, tables } = await newest();
  expect(tables).toBe(2);
  const roles = await onServer(`cat ${folder}/${id}/roles.sql`);
  expect(roles).toContain("CREATE ROLE reader");
  expect(roles).not.toMatch(/PASSWORD/i);
  expect(await onServer(`grep -c ${password} ${folder}/${id}/manifest.json || true`)).toBe("0");
});

/** Changes a manifest as an editor on the server would. */
async function editManifest(id: string, script: string): Promise<void> {
  const path = `${folder}/${id}/manifest.json`;
  await onServer(`docker exec ikoma-agent node -e '
    const fs = require("node:fs"), crypto = require("node:crypto");
    const m = JSON.parse(fs.readFileSync("${path}")), folder = "${folder}/${id}";
    ${script}; fs.writeFileSync("${path}", JSON.stringify(m));'`);
}

/** Has the manifest say of the dump what it is now, as if it had been so from the beginning. */
const rehash = `const d = fs.readFileSync(folder + "/database.dump");
  m.files.dump = { bytes: d.length, sha256: crypto.createHash("sha256").update(d).digest("hex"), modifiedMs: 0 }`;

test("a dump that was cut short or has one wrong bit is found, and by the restore also where its checksum fits", async () => {
  const [cut, flipped] = [(await backups()).at(0), (await backups()).at(-1)].map((each) => each?.id ?? "");
  await onServer(`truncate --size=-50 ${folder}/${cut}/database.dump`);
  expect(await badly("verify", cut ?? "", "--level", "checksum")).toMatchObject({ code: "BACKUP_UNVERIFIED" });

  const dump = `${folder}/${flipped}/database.dump`;
  await onServer(`cp -a ${dump} /tmp/whole; docker exec ikoma-agent node -e '
    const fs = require("node:fs"); const d = fs.readFileSync("${dump}"); d[Math.floor(d.length / 2)] ^= 4; fs.writeFileSync("${dump}", d);'
    touch -r /tmp/whole ${dump}`);
  // Same size, same time: only reading it tells.
  expect((await badly("verify", flipped ?? "")).message).toContain("checksum");
  await editManifest(flipped ?? "", rehash);
  await well("verify", flipped ?? "", "--level", "checksum");
  await well("verify", flipped ?? "", "--level", "list");
  expect((await badly("verify", flipped ?? "", "--level", "restore")).message).toContain("cannot be restored");
  expect(await backups()).toMatchObject([
    { id: cut, damaged: {} },
    { id: flipped, damaged: {} },
  ]);
  await onServer(`cp -a /tmp/whole ${dump}`);
  await editManifest(flipped ?? "", `${rehash}; m.tables[0].rows += 1`);
  expect((await badly("verify", flipped ?? "")).message).toMatch(/has \d+ rows, the backup was taken with/);
  expect(
    await onServer(
      "docker ps --all --quiet --filter label=dev.ikoma.backup; docker volume ls --quiet --filter dangling=true",
    ),
  ).toBe("");
});

test("a bad or a vanished backup does not count: the next deploy takes one, and drift tells of it before", async () => {
  await project.apply();
  const { id } = await newest();
  expect(await project.drift()).toMatchObject({ state: "clean", exitCode: 0 });
  await onServer(`mv ${folder}/${id} /tmp/${id}`);
  const { differences, exitCode } = await project.drift();
  expect(exitCode).toBe(7);
  expect(differences).toMatchObject([
    { part: "backup", path: "backups", message: expect.stringContaining(id) as unknown },
  ]);
  await project.apply();
  expect(await project.drift()).toMatchObject({ state: "clean" });
  expect((await newest()).id).not.toBe(id);
  expect((await newest()).verified).toMatchObject({ level: "compare" });
});

test("an agent that is killed in the middle leaves no half backup, no dump and no throwaway server", async () => {
  const before = await backups();
  await lab.host.agentProcess.hold("recording");
  const creating = project.startIkoma("backup", "create", "--json");
  await app.reached("recording");
  expect(await onServer(`ls ${folder} | grep -c partial`)).toBe("1");
  const killedAtMs = await lab.host.agentProcess.kill();
  await lab.host.agentProcess.letGo();
  expect((await creating.ended).code).not.toBe(0);
  await lab.host.agentProcess.startedAfter(killedAtMs);
  await until(
    "what was left is cleared",
    async () => (await onServer(`ls ${folder} | grep -c partial || true`)) === "0",
  );
  expect(await backups()).toEqual(before);

  await lab.host.agentProcess.hold("verifying");
  const verifying = project.startIkoma("backup", "create", "--json");
  await app.reached("verifying");
  await lab.host.agentProcess.killOnce("docker ps --quiet --filter label=dev.ikoma.backup | grep -q .", "verifying");
  await lab.host.agentProcess.letGo();
  expect((await verifying.ended).code).not.toBe(0);
  await until(
    "the throwaway server is gone",
    async () => (await onServer("docker ps --all --quiet --filter label=dev.ikoma.backup")) === "",
  );
  // It is whole, and proven to nobody.
  expect((await newest()).verified).toBeUndefined();
  expect(await query("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ikoma-backup%'")).toBe("0");
});

test("a database that is stopped in the middle of its dump leaves no half backup", async () => {
  const before = await backups();
  const { name } = await app.container("db");
  const locked = lab.host.vps.exec(
    `docker exec ${name} psql -U shop -d shop -c 'BEGIN; LOCK TABLE orders; SELECT pg_sleep(60)'`,
  );
  const locks =
    "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND mode = 'AccessExclusiveLock' AND granted";
  await until("the table is locked", async () => (await query(locks)) === "1");
  const creating = project.startIkoma("backup", "create", "--json");
  await until(
    "the dump waits for it",
    async () =>
      (await query(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ikoma-backup%' AND wait_event_type = 'Lock'",
      )) === "1",
  );
  await onServer(`docker kill ${name}`);
  await locked;
  expect(await creating.ended).toMatchObject({ code: 4, stdout: expect.stringContaining("BACKUP_FAILED") as unknown });
  expect(await onServer(`ls ${folder}`)).not.toContain("partial");
  await onServer(`docker start ${name}`);
  await until("it is back", async () => (await query("SELECT 1").catch(() => "")) === "1");
  expect(await backups()).toEqual(before);
});

test("a backup that fails stops the deploy, and the release before it serves", async () => {
  const { name } = await app.container("db");
  const { startedAt } = await app.container("web");
  const program = "/usr/lib/postgresql/15/bin/pg_dump";
  await onServer(`docker exec ${name} mv ${program} ${program}-away`);
  await project.configure(["backup", "maxAgeMinutes"], 0.001);
  const before = await backups();
  const failure = await project.applyBadly("--bundle", await project.bundle(v2));
  expect(failure).toMatchObject({ code: "BACKUP_FAILED", exitCode: 4 });
  expect(await app.versions()).toEqual(["v1"]);
  expect((await app.container("web")).startedAt).toBe(startedAt);
  expect(await backups()).toEqual(before);
  await onServer(`docker exec ${name} mv ${program}-away ${program}`);
  await project.apply("--bundle", await project.bundle(v2));
  expect(await app.versions()).toEqual(["v2"]);
  expect(before.map((each) => each.id)).not.toContain((await newest()).id);
});

test("a run of the schedule that was missed is caught up once; a deploy does not wait for it", async () => {
  await project.configure(["backup", "maxAgeMinutes"], 600);
  await project.configure(["backup", "schedule"], "hourly");
  await project.apply();
  const before = await backups();
  await lab.host.agentProcess.hold("recording");
  for (const { id } of before) await editManifest(id, "m.takenAtMs -= 3 * 3600e3");
  await until("a run is under way", async () => (await onServer(`ls ${folder}`)).includes("partial"));
  await project.configure(["env", "GREETING"], "during the backup");
  await project.apply();
  expect(await onServer(`ls ${folder}`)).not.toContain("partial");
  await lab.host.agentProcess.letGo();
  await until("the host has taken one by itself", async () => (await backups()).length > before.length);
  await until("it is proven", async () => (await newest()).verified !== undefined);
  expect(await newest()).toMatchObject({ reason: "by the schedule", verified: { level: "compare" } });
  const { stdout } = await project.ikoma("status", "--live");
  expect(stdout).toMatch(/verified backup \d+ s ago, the next at/);
});

test("a restore brings the rows back, and keeps the database that was there", async () => {
  await well("create");
  const { id } = await newest();
  await query("DELETE FROM orders WHERE id > 5; INSERT INTO orders (what) VALUES ('written since')");
  const { name } = await app.container("db");
  // Somebody who does not let go by himself.
  const connected = lab.host.vps.exec(`docker exec ${name} psql -U shop -d shop -c 'SELECT pg_sleep(300)'`);
  expect(await badly("restore", "latest", "--confirm", "shops")).toMatchObject({ code: "USAGE" });
  const restored = z
    .object({ kept: z.string(), safety: backupView, backup: backupView })
    .parse(await well("restore", "latest", "--confirm", "shop"));
  expect((await connected).code).not.toBe(0);
  expect(restored.backup.id).toBe(id);
  expect(restored.safety).toMatchObject({ pin: expect.stringContaining(id) as unknown, tables: 2 });
  expect(await query("SELECT count(*), count(*) FILTER (WHERE what = 'written since') FROM orders")).toBe("20000|0");
  expect(await query("SHOW search_path; SHOW work_mem")).toBe('public, "odd ""name"""\n5MB');
  expect(await query("SELECT string_agg(what, ',') FROM orders WHERE id > 5", restored.kept)).toBe("written since");
  expect(await query("SELECT datname FROM pg_database WHERE datname LIKE 'ikoma%'")).toBe("");
  await editManifest(id, "m.tables[0].rows += 1");
  expect(await badly("restore", id, "--confirm", "shop")).toMatchObject({ code: "RESTORE_FAILED" });
  await editManifest(id, "m.tables[0].rows -= 1");
  expect(await query("SELECT count(*) FROM orders")).toBe("20000");
  expect(await query("SELECT datname FROM pg_database WHERE datname LIKE 'ikoma%'")).toBe("");
  expect(await app.versions()).toEqual(["v2"]);
});

test("what does not fit is refused, and nothing is changed", async () => {
  const { id } = await newest();
  await editManifest(id, "m.server = { version: '99.1', major: 99 }".replaceAll("'", '"'));
  expect(await badly("restore", id, "--confirm", "shop")).toMatchObject({
    code: "RESTORE_REFUSED",
    message: expect.stringContaining("older") as unknown,
  });
  await editManifest(id, 'm.server = { version: "15", major: 15 }');
  expect(await badly("restore", "20200101", "--confirm", "shop")).toMatchObject({ code: "BACKUP_NOT_FOUND" });
  expect(await query("SELECT count(*) FROM orders")).toBe("20000");
});

test("a backup is fetched whole, for its reader alone", async () => {
  const { id, bytes } = await newest();
  await well("download", id, "--to", "fetched");
  const dump = join(project.folder, "fetched.dump");
  const content = await readFile(dump);
  expect(createHash("sha256").update(content).digest("hex")).toBe(
    (await onServer(`sha256sum ${folder}/${id}/database.dump`)).split(" ")[0],
  );
  expect((await stat(dump)).mode & 0o777).toBe(0o600);
  expect(content.length + (await stat(join(project.folder, "fetched.roles.sql"))).size).toBe(bytes);
  expect(await badly("download", id, "--to", "fetched")).toMatchObject({ code: "USAGE" });
});

test("a fetched backup is brought to a server that does not have it, and proven there", async () => {
  const { id } = await newest();
  expect(await badly("upload", "fetched")).toMatchObject({ code: "USAGE" });
  await onServer(`mv ${folder}/${id} /tmp/${id}`);
  const dump = join(project.folder, "fetched.dump");
  const content = await readFile(dump);
  await writeFile(dump, Buffer.concat([content.subarray(0, 100), content.subarray(101)]));
  expect(await badly("upload", "fetched")).toMatchObject({ code: "BACKUP_UNVERIFIED" });
  expect(await onServer(`ls ${folder}`)).not.toContain(id);
  await writeFile(dump, content);
  await well("upload", "fetched");
  expect((await backups()).find((each) => each.id === id)).toMatchObject({ verified: { level: "compare" }, tables: 2 });
});

test("the runbook's commands do what it says", async () => {
  await query("UPDATE orders SET what = 'spoiled'");
  const blocks = (await shellBlocks("docs/runbooks/restore-database.md")).filter(({ isRun }) => isRun);
  expect(blocks.length).toBeGreaterThan(2);
  const outputs: string[] = [];
  for (const { text } of blocks) {
    const script = `set -eu; export STACK=prod APP=vault DATABASE=shop NO_COLOR=1\n${text}`;
    const { code, stdout, stderr } = await project.shell(script);
    if (code !== 0) throw new Error(`${text}\n${stdout}${stderr}`);
    outputs.push(stdout);
  }
  expect(outputs[0]).toMatch(/db\/shop .* compare/);
  expect(outputs[2]).toContain("is kept as the database shop_before_");
  expect(await query("SELECT count(*) FROM orders WHERE what = 'spoiled'")).toBe("0");
});

test("copies elsewhere are encrypted, read back, and enough to come back from", async () => {
  await using storage = await startStorage("10.77.0.1");
  const identity = await generateIdentity();
  const { endpoint, bucket, region, accessKeyId } = storage;
  const recipient = await identityToRecipient(identity);
  await project.setSecret("BACKUP_S3_SECRET", storage.secret);
  await project.configure(["backup", "offsite"], { endpoint, bucket, region, accessKeyId, recipient });
  await project.apply();
  const isCopied = (each: z.infer<typeof backupView>): boolean => each.offsiteAtMs !== undefined;
  await until("one is copied", async () => (await backups()).some(isCopied));
  const id = (await backups()).find(isCopied)?.id ?? "";
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const ends = { "database.dump": ".dump", "roles.sql": ".roles.sql", "manifest.json": ".json" };
  for (const [name, end] of Object.entries(ends)) {
    const stored = storage.objects.get(`vault/${id}/${name}.age`) ?? Buffer.alloc(0);
    expect(stored.includes("PGDMP") || stored.includes("CREATE ROLE")).toBe(false);
    await writeFile(join(project.folder, `elsewhere${end}`), await decrypter.decrypt(stored));
  }
  await onServer(`mv ${folder}/${id} /tmp/copied-${id}`);
  await well("upload", "elsewhere");
  expect((await backups()).find((each) => each.id === id)).toMatchObject({ verified: { level: "compare" } });
  expect(await project.allState()).not.toContain(storage.secret);
  expect(
    await onServer(
      `grep -rlF '${storage.secret}' /var/lib/ikoma || true; docker logs ikoma-agent 2>&1 | grep -cF '${storage.secret}' || true`,
    ),
  ).toBe("0");
});

test("without the policy the backups stay, and no more are taken", async () => {
  const before = await backups();
  await project.configure(["backup"], undefined);
  await project.configure(["env", "GREETING"], "three");
  const { plan } = await project.apply();
  expect(plan.find(({ part }) => part === "backup")?.operation).toBe("delete");
  expect(await backups()).toEqual(before);
  expect(await project.drift()).toMatchObject({ state: "clean" });
});
