import { cp, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { closeHostConnections } from "../../src/core/transport/host-connections.ts";
import { fingerprint } from "../../src/core/transport/host-key.ts";
import { createVps, startRegistry, type Vps } from "../lab/index.ts";
import { agentLayers, buildAgentImages, pullAgentImages } from "./fixture/agent-images.ts";
import { httpGet } from "./fixture/http-request.ts";
import { Reader } from "./documents/reader.ts";
import { commandsIn, shellBlocks, type ShellBlock } from "./documents/shell-blocks.ts";
import { checkout } from "./fixture/build.ts";

let vps: Vps;
let registry: Awaited<ReturnType<typeof startRegistry>>;
let reader: Reader;

beforeAll(async () => {
  const version = await buildAgentImages();
  registry = await startRegistry();
  const pulled = ["node:24-bookworm-slim", ...agentLayers];
  vps = await createVps({ name: `e2e-docs-${process.pid}`, kind: "docker", pulled });
  reader = await Reader.create(vps);
  await cp(join(checkout, "examples/tiny-web"), reader.folder, { recursive: true });
  // Packing and sending them is what host-bootstrap.e2e.test.ts tests.
  await pullAgentImages(vps, [`ikoma/agent:${version}`, `ikoma/edge:${version}`]);
}, 300_000);

afterAll(async () => {
  await reader[Symbol.asyncDispose]();
  await closeHostConnections();
  await vps.destroy();
  await registry.stop();
});

/** Runs it and expects it to go as the document says; the end of what it printed is why it did not. */
async function follow(text: string, { exitCode = 0, folder = reader.folder } = {}): Promise<string> {
  const followed = await reader.follow(text, folder);
  if (followed.exitCode === exitCode) return followed.output;
  throw new Error(`${text}\nexit code ${followed.exitCode ?? "none"}:\n${followed.output.slice(-1500)}`);
}

/** The version that a visitor gets. */
async function version(): Promise<string | undefined> {
  return (await httpGet(vps.address, "shop.example.com", "/")).version;
}

describe("README, first real deploy", () => {
  let setUp: ShellBlock;
  let deploy: string[];
  beforeAll(async () => {
    const blocks = (await shellBlocks("README.md")).filter(({ heading }) => heading.startsWith("First real deploy"));
    expect(blocks).toHaveLength(2);
    const [first, second] = blocks;
    if (first === undefined || second === undefined) return;
    setUp = first;
    deploy = commandsIn(second.text);
  });

  /** The commands of the document from the one that holds `from` up to the one that holds `to`. */
  function commands(from: string, to: string): string[] {
    const at = (part: string): number => deploy.findIndex((each) => each.includes(part));
    expect([at(from), at(to)]).not.toContain(-1);
    return deploy.slice(at(from), at(to) + 1);
  }

  test("set-up in the checkout leaves the commands on PATH", async () => {
    await follow(setUp.text, { folder: checkout });
    reader.exports(setUp.text.split("\n").at(-1) ?? "", checkout);
    expect(await follow("ikoma --version; command -v ikoma")).toContain("0.1.0");
  });

  test("the server is trusted and set up, the bundle made, the app configured", async () => {
    await writeFile(join(reader.folder, "token"), "a token\n");
    for (const command of commands("cat > Pulumi.yaml", "pulumi config set")) await follow(command);
    expect(await readFile(join(reader.folder, "Pulumi.prod.yaml"), "utf8")).toMatch(/POSTGRES_PASSWORD:\s+secure: v1:/);
  });

  test("it is deployed, and a second version of it", async () => {
    // The way is the same without waiting for a bake each time.
    await follow("pulumi config set --stack prod --path 'ikoma:apps.shop.bake.seconds' 0");
    for (const command of commands("ikoma deploy apply", "ikoma status")) await follow(command);
    expect(await version()).toBe("dev");
    const file = join(reader.folder, "Dockerfile");
    await writeFile(file, (await readFile(file, "utf8")).replace("APP_VERSION=dev", "APP_VERSION=next"));
    for (const command of commands("docker buildx build", "ikoma bundle inspect")) await follow(command);
    for (const command of commands("ikoma deploy apply", "ikoma status")) await follow(command);
    expect(await version()).toBe("next");
  });

  test("and rolled back", async () => {
    for (const command of commands("ikoma deploy rollback", "ikoma deploy rollback")) await follow(command);
    expect(await version()).toBe("dev");
  });
});

/** Follows every block of a runbook that is marked so, and gives what each printed. */
async function followRunbook(name: string): Promise<string[]> {
  const blocks = (await shellBlocks(`docs/runbooks/${name}.md`)).filter(({ isRun }) => isRun);
  expect(blocks.length).toBeGreaterThan(1);
  const outputs: string[] = [];
  for (const { text, exitCode } of blocks) outputs.push(await follow(text, { exitCode }));
  return outputs;
}

describe("runbook", () => {
  const bundle = "registry.example.com/shop-bundle";

  test("a deploy failed", async () => {
    reader.exports("export STACK=prod APP=shop HOST=vps1");
    const file = join(reader.folder, "Dockerfile");
    const good = await readFile(file, "utf8");
    await writeFile(file, good.replace('SWITCHES=""', 'SWITCHES="CRASH_AT_START_CODE=3"'));
    await follow("docker buildx build --quiet --push --tag registry.example.com/shop:bad .");
    // It was rolled back from; somebody means it now.
    await follow(`ikoma deploy apply -s prod --yes --redeploy --bundle ${bundle}:v1`);
    expect(await version()).toBe("next");
    await follow(
      `ikoma bundle create --app shop --version bad --image web=registry.example.com/shop:bad --push ${bundle}`,
    );
    const failed = await follow(`ikoma deploy apply -s prod --yes --bundle ${bundle}:bad`, { exitCode: 10 });
    expect(failed).toContain("likely");
    await writeFile(file, good);

    const [seen = "", compared = "", rolledBack = ""] = await followRunbook("failed-deploy");
    expect(seen).toMatch(/5\s.*failed/);
    expect(compared).toContain("= release: unchanged");
    expect(rolledBack).toContain("Back to #3");
    expect(await version()).toBe("dev");
  });

  test("a stack is locked by another machine", async () => {
    const folder = join(reader.home, ".pulumi/locks/organization/shop/prod");
    const lock = { pid: 4242, username: "anna", hostname: `not-${hostname()}`, timestamp: new Date().toISOString() };
    await follow(`mkdir -p '${folder}' && echo '${JSON.stringify(lock)}' > '${folder}/other.json'`);
    const [locked = ""] = await followRunbook("locked-stack");
    expect(locked).toContain("STACK_LOCKED");
    expect(locked).toContain(`anna@not-${hostname()}`);
    expect(await version()).toBe("dev");
  });

  test("a disk is full", async () => {
    reader.exports(`export SERVER=root@${vps.address}`);
    const unused =
      "mkdir -p /tmp/x && head -c 3000000 /dev/urandom > /tmp/x/junk && tar -C /tmp/x -c . | docker import -";
    const { stdout } = await vps.exec(unused);
    const id = stdout.trim();
    expect(id).toMatch(/^sha256:/);
    const [seen = ""] = await followRunbook("full-disk");
    expect(seen).toContain("/var/lib/docker");
    expect(await vps.exec(`docker image inspect ${id}`)).toMatchObject({ code: 1 });
    expect(await version()).toBe("dev");
    // Its images were among those that no container used.
    await follow(`ikoma deploy apply -s prod --yes --redeploy --bundle ${bundle}:v1`);
    expect(await version()).toBe("next");
  });

  test("a server is lost", async () => {
    await vps.exec(`docker rm --force $(docker ps --all --quiet); docker volume prune --force; rm -rf /var/lib/ikoma
rm /etc/ssh/ssh_host_ed25519_key* && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key && service ssh restart`);
    const key = (await vps.exec("cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub")).stdout.trim();
    reader.exports(`export ADDRESS=${vps.address} FINGERPRINT=${fingerprint(key)}`);
    const outputs = await followRunbook("lost-host");
    expect(outputs.at(-1)).toContain("shop");
    expect(await version()).toBe("next");
  });
});
