import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { writeBundleFile } from "../../src/core/bundle/bundle-store.ts";
import { stackOutputs } from "../../src/core/deployer/stack-outputs.ts";
import { bridge } from "../../stacks/bridge.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { appManifest, web } from "./app-manifest.ts";
import { hostAddress } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];
afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

const certificate = "-----BEGIN CERTIFICATE-----\nof the bridge\n-----END CERTIFICATE-----";
const [first, second] = ["a", "b"].map((digit) => `${digit.repeat(10)}:${digit.repeat(64)}`);

/** As src/infra/bridge/compose.yaml has it. */
const manifest = appManifest(
  { api: web({ IKOMA_API_ADMINS: "${API_ADMINS:-}" }) },
  { app: "bridge", routes: [{ path: "/", service: "api", port: 7410 }], strategy: "replace" },
);

test("the Bridge is an app with a certificate and administrators, and tells where its API is", async () => {
  const agent = new FakeAgent();
  const stack = await TestStack.create({ [hostAddress]: agent });
  stacks.push(stack);
  const reference = await writeBundleFile(manifest, join(stack.workDir, "v1.bundle.json"));
  await writeFile(join(stack.workDir, "certificate"), certificate);
  const file = JSON.stringify(join(stack.workDir, "certificate"));
  await writeFile(
    stack.configFile,
    `config:
  ikoma:hosts:
    vps1: { address: ${hostAddress}, hostKey: ssh-ed25519 AAAA }
  ikoma:bridge:
    host: vps1
    domain: bridge.example
    admins: ["${first}"]
    bundle: ${reference}
  ikoma:secrets: { bridge: { CERTIFICATE: { command: [cat, ${file}] } } }
`,
  );
  const { outputs, changes } = await stack.up(bridge);
  expect(changes).toMatchObject({ create: 3 });
  expect(stackOutputs.bridge.parse(outputs)).toMatchObject({
    apps: { bridge: { url: "https://bridge.example/", host: "vps1" } },
    bridge: { api: "https://bridge.example", host: "vps1" },
  });
  expect(agent.part("bridge", "site")?.input).toMatchObject({
    domains: ["bridge.example"],
    certificatePem: certificate,
  });
  const released = () => agent.part("bridge", "release")?.input;
  expect(released()).toMatchObject({
    strategy: "replace",
    bake: { maxErrorRate: 1 },
    spec: { services: { api: { environment: { IKOMA_API_ADMINS: first } } } },
    // What a rollback brings back has no administrators in it.
    source: { bundle: reference, env: {} },
  });
  expect(JSON.stringify(released())).not.toContain("BEGIN CERTIFICATE");
  expect(await stack.allState()).not.toContain("of the bridge");

  await stack.changeConfig((text) => text.replace(`["${first}"]`, `["${first}", "${second}"]`));
  await expect(stack.up(bridge)).resolves.toMatchObject({ changes: { update: 1, same: 2 } });
  expect(released()).toMatchObject({
    spec: { services: { api: { environment: { IKOMA_API_ADMINS: `${first} ${second}` } } } },
  });
  await expect(stack.preview(bridge)).resolves.toMatchObject({ changes: { same: 3 } });

  // As a rollback with secrets may have written it: whoever was taken out stays out.
  const kept = "secretsOf: { deployment: 1, names: [API_ADMINS] }";
  await stack.changeConfig((text) =>
    text.replace(`["${first}", "${second}"]`, `["${second}"]`).replace("    host: vps1", `    host: vps1\n    ${kept}`),
  );
  await stack.up(bridge);
  expect(released()).toMatchObject({ spec: { services: { api: { environment: { IKOMA_API_ADMINS: second } } } } });
});
