import { expect, test } from "@jest/globals";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { settingsPath } from "../config/bridge-names.ts";
import { appConfig } from "../config/schema.ts";
import {
  chooseApp,
  editAppSettings,
  hostOf,
  readStackSettings,
  requireBundles,
  writeStackFile,
  type StackSettings,
} from "./deploy-stack-file.ts";

const digestA = `sha256:${"a".repeat(64)}`;
const digestB = `sha256:${"b".repeat(64)}`;
const text = `# production
encryptionsalt: v1:${"x".repeat(200)}
config:
  ikoma:hosts:
    vps1: { address: 192.0.2.1, hostKey: ssh-ed25519 AAAA }
  ikoma:apps:
    shop: # the shop
      host: vps1
      bundle: registry/shop@${digestA} # pinned by the release
      accessoriesBundle: registry/shop@${digestB}
      env:
        # louder while we look for the leak
        LOG_LEVEL: debug
        GREETING: hello
  ikoma:secrets:
    shop:
      TOKEN:
        secure: v1:abc
`;

async function inFile<T>(content: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-stack-"));
  try {
    const path = join(folder, "Pulumi.prod.yaml");
    await writeFile(path, content, { mode: 0o600 });
    return await use(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a new pin changes its one line and nothing else", () => {
  const edited = editAppSettings(text, { app: "shop", set: { bundle: `registry/shop@${digestB}` }, remove: ["smoke"] });
  expect(edited).toBe(text.replace(`shop@${digestA}`, `shop@${digestB}`));
});

test("a pin that YAML would read as something else is quoted", () => {
  const edited = editAppSettings(text, { app: "shop", set: { bundle: "./a bundle #1.json" }, remove: [] });
  expect(edited).toContain('bundle: "./a bundle #1.json" # pinned by the release');
});

test("taking the accessories' pin out, and setting it again, is a matter of its line", () => {
  const without = editAppSettings(text, { app: "shop", set: {}, remove: ["accessoriesBundle"] });
  expect(without).toBe(text.replace(/ +accessoriesBundle.*\n/, ""));
  const again = editAppSettings(without, {
    app: "shop",
    set: { accessoriesBundle: `registry/shop@${digestB}` },
    remove: [],
  });
  expect(again).toBe(text);
});

test("the first pin of an app gets a line of its own", () => {
  const unpinned = text.replace(/ +bundle.*\n/, "").replace(/ +accessoriesBundle.*\n/, "");
  const edited = editAppSettings(unpinned, {
    app: "shop",
    set: { bundle: "./shop.json" },
    remove: ["accessoriesBundle"],
  });
  expect(edited).toBe(unpinned.replace("      host: vps1\n", "      host: vps1\n      bundle: ./shop.json\n"));
});

test("settings in the short form are changed too", () => {
  const short = "config:\n  ikoma:apps: { shop: { host: vps1, bundle: a, accessoriesBundle: b } } # all\n";
  const edited = editAppSettings(short, { app: "shop", set: { bundle: "c" }, remove: ["accessoriesBundle"] });
  expect(edited).toBe("config:\n  ikoma:apps: { shop: { host: vps1, bundle: c } } # all\n");
});

test("settings of a rollback are merged entry by entry, so their comments stay", () => {
  const set = { env: { LOG_LEVEL: "info", COLOUR: "blue" }, drainSeconds: 5 };
  const edited = editAppSettings(text, { app: "shop", set, remove: [] });
  expect(edited).toContain("# louder while we look for the leak\n        LOG_LEVEL: info\n");
  expect(edited).toContain("COLOUR: blue");
  expect(edited).not.toContain("GREETING");
  expect(edited).toContain("drainSeconds: 5");
  expect(edited).toContain("# pinned by the release");
  expect(edited).toContain("secure: v1:abc");
});

test("an edit that changes nothing leaves the text as it was", () => {
  expect(
    editAppSettings(text, { app: "shop", set: { env: { LOG_LEVEL: "debug", GREETING: "hello" } }, remove: ["smoke"] }),
  ).toBe(text);
});

test("an app that the file does not have cannot be edited", () => {
  expect(() => editAppSettings(text, { app: "shpo", set: {}, remove: [] })).toThrow(
    expect.objectContaining({ code: "CONFIG_MISSING" }),
  );
});

test("reading gives hosts and apps with their defaults", async () => {
  const settings = await inFile(text, readStackSettings);
  expect(settings.apps.shop).toMatchObject({ host: "vps1", keep: 5, env: { LOG_LEVEL: "debug" } });
  expect(hostOf(settings, "shop")).toMatchObject({
    name: "vps1",
    way: { address: "192.0.2.1", port: 22, user: "root" },
  });
  expect(settings.secretNames).toEqual({ shop: ["TOKEN"] });
  const wholly = text.replace(/ {4}shop:\n {6}TOKEN:\n {8}secure/, "    secure");
  expect((await inFile(wholly, readStackSettings)).secretNames).toEqual({ secure: [] });
});

const bridgeText = `config:
  ikoma:hosts:
    vps1: { address: 192.0.2.1, hostKey: ssh-ed25519 AAAA }
  ikoma:bridge:
    host: vps1
    domain: bridge.example
    admins: [aaaaaaaaaa:${"0".repeat(64)}]
    bundle: registry/bridge@${digestA} # pinned
`;

test("the Bridge is read as an app, and its pin is a line of its own settings", async () => {
  const settings = await inFile(bridgeText, readStackSettings);
  expect(settings.apps).toMatchObject({ bridge: { host: "vps1", domains: ["bridge.example"] } });
  const edit = { app: "bridge", set: { bundle: `registry/bridge@${digestB}` }, remove: ["accessoriesBundle"] };
  const place = settingsPath("bridge", "bridge");
  expect(editAppSettings(bridgeText, edit, place)).toBe(bridgeText.replace(digestA, digestB));
  expect(settingsPath("prod", "bridge")).toEqual(["ikoma:apps", "bridge"]);
});

test("an unknown setting is named with its path and the nearest known one", async () => {
  const wrong = text.replace("      env:", "      enw:");
  await expect(inFile(wrong, readStackSettings)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining('ikoma:apps.shop.enw: unknown setting; did you mean "env"?'),
  });
});

test("the app is the named one, or the only one", () => {
  const app = appConfig.parse({ host: "vps1" });
  const one: StackSettings = { hosts: {}, apps: { shop: app } };
  const two: StackSettings = { hosts: {}, apps: { shop: app, blog: app } };
  expect(chooseApp(one, undefined, "prod")).toBe("shop");
  expect(chooseApp(two, "blog", "prod")).toBe("blog");
  expect(() => chooseApp(two, undefined, "prod")).toThrow(
    expect.objectContaining({ code: "USAGE", hint: "Name one with --app: shop, blog." }),
  );
  expect(() => chooseApp(two, "shopp", "prod")).toThrow(
    expect.objectContaining({ code: "APP_UNKNOWN", hint: "Did you mean shop?" }),
  );
  for (const [stack, place] of [
    ["prod", "ikoma:apps"],
    ["bridge", "ikoma:bridge"],
  ] as const)
    expect(() => chooseApp({ apps: {} }, undefined, stack)).toThrow(`has no app: \`${place}\` is empty`);
  expect(() => hostOf(one, "shop")).toThrow(expect.objectContaining({ code: "CONFIG_MISSING" }));
});

test("without a bundle there is nothing to deploy, rather than something to take away", () => {
  const pinned = appConfig.parse({ host: "vps1", bundle: "shop.bundle.json" });
  const settings: StackSettings = {
    hosts: {},
    apps: { shop: pinned, blog: appConfig.parse({ host: "vps1" }) },
  };
  expect(() => {
    requireBundles(settings, undefined, "prod");
  }).toThrow(expect.objectContaining({ code: "CONFIG_MISSING", message: expect.stringMatching(/none for blog\.$/) }));
  expect(() => {
    requireBundles(settings, "blog", "prod");
  }).toThrow(expect.objectContaining({ code: "CONFIG_MISSING" }));
  requireBundles(settings, "shop", "prod");
  requireBundles({ apps: {} }, undefined, "prod");
});

test("writing keeps the file's mode", async () => {
  await inFile(text, async (path) => {
    await writeStackFile(path, "config: {}\n");
    expect(await readFile(path, "utf8")).toBe("config: {}\n");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });
});
