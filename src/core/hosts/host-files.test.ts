import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { findHost, readHostFiles } from "./host-files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-host-files-"));
});
afterEach(() => rm(folder, { recursive: true }));

const hosts = `config:
  ikoma:hosts:
    vps1: { address: 203.0.113.1, hostKey: ssh-ed25519 AAAA }
    vps2: { address: 203.0.113.2, hostKey: ssh-ed25519 AAAA }
  ikoma:setup:
    vps1:
      httpPort: 8080
      prepare:
        - { name: login, create: read -r token, stdin: { secure: v1:abc } }
    vps2: { prepare: [] }
`;

test("which hosts are prepared is read without the secrets of their steps, which are no part of the setup", async () => {
  await writeFile(join(folder, "Pulumi.hosts.yaml"), hosts);
  const files = await readHostFiles(folder);
  expect(findHost(files, "vps1")).toMatchObject({ isPrepared: true, setup: { httpPort: 8080 } });
  expect(findHost(files, "vps1").setup).not.toHaveProperty("prepare");
  expect(findHost(files, "vps2")).toMatchObject({ isPrepared: false, setup: { httpPort: 80 } });
});

test("a setting of the setup that nobody knows is refused all the same", async () => {
  await writeFile(join(folder, "Pulumi.hosts.yaml"), hosts.replace("httpPort", "httpPrt"));
  await expect(readHostFiles(folder)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining('httpPrt: unknown setting; did you mean "httpPort"?'),
  });
});

test("the Bridge is on its host like an app", async () => {
  const bridge = "config:\n  ikoma:bridge: { host: vps1, domain: bridge.example }\n";
  await writeFile(join(folder, "Pulumi.bridge.yaml"), bridge);
  const [file] = await readHostFiles(folder);
  expect(file).toMatchObject({ usedHosts: ["vps1"], appHosts: { bridge: "vps1" } });
});
