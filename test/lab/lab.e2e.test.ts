import { access, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  createVps,
  destroyLeftovers,
  openVps,
  pushToRegistry,
  startRegistry,
  type LabRegistry,
  type Vps,
} from "./index.ts";
import { machineFolder, readRecord, writeRecord } from "./machine-record.ts";
import { runChecked, runCommand } from "./run-command.ts";
import { waitUntil } from "./wait-until.ts";

/** Everything on this host that names the machine or its network. */
const traces = async (name: string, link: string): Promise<string> => {
  const lists = await Promise.all([
    runChecked("ip", ["netns", "list"]),
    runChecked("ip", ["-br", "link"]),
    runChecked("iptables-save", []),
    runChecked("cat", ["/proc/self/mountinfo"]),
    // Our own children show up in the list while it is made.
    runChecked("ps", ["-eo", "args"]),
    runChecked("find", ["/sys/fs/cgroup", "-type", "d", "-name", `ikoma-lab-${name}`]),
  ]);
  return lists
    .join("\n")
    .split("\n")
    .filter(
      (line) =>
        (line.includes(`lab-${name}`) || line.includes(`lab:${name}`) || line.includes(link)) &&
        !line.startsWith("find "),
    )
    .join("\n");
};

const ssh = async (vps: Vps, user: string, command: string, hostKey = vps.hostPublicKey) => {
  const knownHosts = join(machineFolder(vps.name), "known_hosts");
  await writeFile(knownHosts, `${vps.address} ${hostKey}\n`);
  const options = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${knownHosts}`,
  ];
  const flags = options.flatMap((option) => ["-o", option]);
  return runCommand("ssh", ["-F", "none", "-i", vps.identityFile, ...flags, `${user}@${vps.address}`, command]);
};

/** A web server in one line, from the image that the registry mirrors. */
const serve = "require('http').createServer((q, r) => r.end('served')).listen(80)";
const webPort = 8080;

const get = async (vps: Vps): Promise<string> =>
  (await fetch(`http://${vps.address}:${webPort}/`, { signal: AbortSignal.timeout(1_000) })).text();

let registry: LabRegistry;

beforeAll(async () => {
  await destroyLeftovers();
  registry = await startRegistry();
}, 240_000);

afterAll(async () => {
  await registry.stop();
});

describe("a machine with an engine", () => {
  let vps: Vps;
  beforeAll(async () => {
    vps = await createVps({ name: "lab-test-docker", kind: "docker" });
  });
  afterAll(async () => {
    await vps.destroy();
  });

  test("lets root and deploy in by ssh, with its pinned host key", async () => {
    expect(await ssh(vps, "root", "id -un; hostname")).toMatchObject({ code: 0, stdout: "root\nlab-test-docker\n" });
    expect(await ssh(vps, "deploy", "id -un; docker ps -q")).toMatchObject({ code: 0, stdout: "deploy\n", stderr: "" });
  });

  test("refuses the host key of another one, a bare one without Docker", async () => {
    const other = await createVps({ name: "lab-test-other", kind: "bare" });
    try {
      const answer = await ssh(vps, "root", "true", other.hostPublicKey);
      expect(answer.code).toBe(255);
      expect(answer.stderr).toContain("Host key verification failed");
      expect(await other.exec("command -v docker dockerd")).toMatchObject({ code: 1, stdout: "" });
    } finally {
      await other.destroy();
    }
  });

  test("gives a command its standard input, and ends it at its time-out", async () => {
    expect(await vps.exec("cat; exit 3", { stdin: "hello" })).toMatchObject({ code: 3, stdout: "hello" });
    await expect(vps.exec("sleep 4242", { timeoutMs: 300 })).rejects.toThrow("not done after 300 ms");
    await waitUntil("the command is gone", async () => (await vps.exec("pgrep -f 'sleep 424[2]'")).code === 1);
  });

  test("pulls a Docker Hub name from the lab's mirror, and a pushed image by its digest", async () => {
    const reference = await pushToRegistry("node:24-bookworm-slim", "lab-test/web:1.0.0");
    expect(reference).toMatch(/^10\.77\.0\.1:5000\/lab-test\/web@sha256:[0-9a-f]{64}$/);
    expect(await vps.exec(`docker pull -q ${reference}`)).toMatchObject({ code: 0, stdout: `${reference}\n` });
    expect(await vps.exec("docker pull -q postgres:15")).toMatchObject({ code: 0 });
  });

  test("serves a container's published port to this host, also after a power loss", async () => {
    const run = `docker run -d --name web --restart unless-stopped -p ${webPort}:80 node:24-bookworm-slim node -e "${serve}"`;
    expect(await vps.exec(run)).toMatchObject({ code: 0 });
    await waitUntil("the container serves", async () => (await get(vps)) === "served");

    await vps.powerLoss();
    await expect(get(vps)).rejects.toThrow();
    await expect(vps.exec("true")).rejects.toThrow("has no power");
    await vps.boot();
    await waitUntil("the container serves again", async () => (await get(vps)) === "served");
    expect((await vps.exec("docker ps --format '{{.Names}}'")).stdout).toBe("web\n");
  });

  test("loses every packet while its network is cut", async () => {
    await waitUntil("the container serves", async () => (await get(vps)) === "served");
    await vps.cutNetwork();
    await expect(get(vps)).rejects.toThrow();
    expect(await vps.exec("hostname")).toMatchObject({ code: 0 });
    await vps.restoreNetwork();
    await waitUntil("the container serves", async () => (await get(vps)) === "served");
  });

  test("runs PostgreSQL that keeps its data over a stop", async () => {
    const run =
      "docker run -d --name db -e POSTGRES_PASSWORD=secret -e POSTGRES_USER=app -e POSTGRES_DB=shop postgres:15";
    expect(await vps.exec(run)).toMatchObject({ code: 0 });
    const query = (sql: string) => vps.exec(`docker exec db psql -h 127.0.0.1 -U app -d shop -Atc "${sql}"`);
    await waitUntil("PostgreSQL answers", async () => (await query("select 1")).code === 0, { deadlineMs: 60_000 });
    expect(await query("create table t as select 42 as answer")).toMatchObject({ code: 0 });
    expect(await vps.exec("docker stop -t 20 db && docker inspect -f '{{.State.ExitCode}}' db")).toMatchObject({
      stdout: "db\n0\n",
    });
    await vps.exec("docker start db");
    await waitUntil("PostgreSQL answers", async () => (await query("select answer from t")).stdout === "42\n");
  });

  test("can be opened by its name", async () => {
    const same = await openVps("lab-test-docker");
    expect(same?.hostPublicKey).toBe(vps.hostPublicKey);
    expect(await same?.exec("hostname")).toMatchObject({ stdout: "lab-test-docker\n" });
    expect(await openVps("lab-test-nobody")).toBeUndefined();
  });
});

test("a machine can have images pulled beforehand, each machine with its own engine", async () => {
  const options = { kind: "docker", pulled: ["postgres:15"] } as const;
  const first = await createVps({ name: "lab-test-pulled", ...options });
  const second = await createVps({ name: "lab-test-pulled-2", ...options });
  try {
    const images = "docker images --format '{{.Repository}}:{{.Tag}}'";
    expect(await first.exec(images)).toMatchObject({ stdout: "postgres:15\n" });
    // Their layers are the same files: what one changes or removes the other must not see.
    expect(
      await first.exec("docker run --name scratch postgres:15 rm -r /etc/passwd /usr/share/postgresql"),
    ).toMatchObject({ code: 0 });
    expect(await first.exec("docker rm scratch && docker rmi postgres:15")).toMatchObject({ code: 0 });
    expect(await second.exec(images)).toMatchObject({ stdout: "postgres:15\n" });
    expect(await second.exec("docker run --rm postgres:15 grep -q root /etc/passwd")).toMatchObject({ code: 0 });
  } finally {
    await first.destroy();
    await second.destroy();
  }
});

test("a machine with compose v1 has it, and no plugin", async () => {
  const vps = await createVps({ name: "lab-test-v1", kind: "compose-v1" });
  try {
    expect((await vps.exec("docker-compose version --short")).stdout).toMatch(/^1\./);
    expect((await vps.exec("docker compose version")).code).not.toBe(0);
  } finally {
    await vps.destroy();
  }
});

test("destroy leaves no process, mount, namespace, link, rule, control group or folder", async () => {
  const vps = await createVps({ name: "lab-test-trace", kind: "docker" });
  const record = await readRecord(vps.name);
  const link = `ikoma-lab${record?.subnet}:`;
  // A process that names the machine, in the innermost place that there is.
  const named = `sleep 100; : lab-${vps.name}`;
  expect(await vps.exec(`docker run -d node:24-bookworm-slim sh -c '${named}'`)).toMatchObject({ code: 0 });
  await vps.cutNetwork();
  await waitUntil("it runs", async () => (await traces(vps.name, link)).includes(`sh -c ${named}`));
  await vps.destroy();
  expect(await traces(vps.name, link)).toBe("");
  await expect(access(machineFolder(vps.name))).rejects.toThrow("ENOENT");
});

test("destroyLeftovers takes the machines of a dead process and spares the others", async () => {
  const mine = await createVps({ name: "lab-test-mine", kind: "bare" });
  const lost = await createVps({ name: "lab-test-lost", kind: "bare" });
  const kept = await createVps({ name: "lab-test-kept", kind: "bare", keep: true });
  try {
    for (const name of [lost.name, kept.name]) {
      const record = await readRecord(name);
      // The same pid with another start time: its owner died, the pid was used again.
      if (record !== undefined) await writeRecord({ ...record, owner: { ...record.owner, startTicks: "1" } });
    }
    expect(await destroyLeftovers()).toEqual(["lab-test-lost"]);
    expect(await mine.exec("true")).toMatchObject({ code: 0 });
    expect(await kept.exec("true")).toMatchObject({ code: 0 });
    expect(await readdir(join(machineFolder("lab-test-lost"), ".."))).not.toContain("lab-test-lost");
  } finally {
    await mine.destroy();
    await kept.destroy();
  }
});
