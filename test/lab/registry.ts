import { spawn } from "node:child_process";
import { cp, mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { preparedFolder, registryFolder, toolsFolder } from "./lab-folders.ts";
import { withLabLock } from "./lab-lock.ts";
import { endProcess, identify, identifySelf, isAlive, processIdentitySchema } from "./process-identity.ts";
import { registryAddress, registryHost } from "./registry-address.ts";
import { pushToRegistry } from "./registry-push.ts";
import { runChecked, runCommand } from "./run-command.ts";
import { waitUntil } from "./wait-until.ts";

/** Images that machines pull by their Docker Hub names: the registry is their mirror of it. */
const mirrored = ["postgres:15", "redis:7", "node:24-bookworm-slim", "ikoma/agent-base:latest", "ikoma/edge:latest"];

const registryRecordSchema = z.strictObject({
  server: processIdentitySchema,
  owner: processIdentitySchema,
  keep: z.boolean(),
});
type RegistryRecord = z.infer<typeof registryRecordSchema>;

const recordFile = join(registryFolder, "registry.json");
const storageFolder = join(registryFolder, "storage");

/** A running registry, plain HTTP, the same address for this host and every machine. */
export interface LabRegistry {
  readonly address: string;
  /** Ends it and drops what was pushed; does nothing when it was running before {@link startRegistry}. */
  stop(): Promise<void>;
}

export interface RegistryOptions {
  /** It outlives this process, and `destroyLeftovers` spares it. @default false */
  readonly keep?: boolean;
}

export const readRegistryRecord = async (): Promise<RegistryRecord | undefined> => {
  const text = await readFile(recordFile, "utf8").catch(() => undefined);
  return text === undefined ? undefined : registryRecordSchema.parse(JSON.parse(text));
};

const settings = `version: 0.1
log: { level: warn, accesslog: { disabled: true } }
storage:
  filesystem: { rootdirectory: ${storageFolder} }
  delete: { enabled: true }
http: { addr: "${registryAddress}" }
`;

const answers = async (): Promise<boolean> => (await fetch(`http://${registryAddress}/v2/`)).ok;

const startServer = async (keep: boolean): Promise<void> => {
  await runCommand("ip", ["addr", "add", `${registryHost}/32`, "dev", "lo"]); // there already: fine
  await mkdir(storageFolder, { recursive: true });
  const configFile = join(registryFolder, "config.yml");
  await writeFile(configFile, settings);
  const log = await open(join(registryFolder, "registry.log"), "a");
  const child = spawn(join(toolsFolder, "registry"), ["serve", configFile], {
    detached: true,
    stdio: ["ignore", log.fd, log.fd],
    env: { OTEL_TRACES_EXPORTER: "none", HOME: registryFolder },
  });
  child.on("error", () => undefined); // no such file: the wait below says so
  child.unref();
  await log.close();
  const server = child.pid === undefined ? undefined : identify(child.pid);
  if (server === undefined) throw new Error(`${toolsFolder}/registry did not start: run scripts/setup`);
  const record: RegistryRecord = { server, owner: identifySelf(), keep };
  await writeFile(recordFile, JSON.stringify(record));
  await waitUntil("the lab's registry answers", answers);
};

/** Ends the registry and removes what it left. Nothing there is not an error. */
export const destroyRegistry = async (): Promise<void> => {
  const record = await readRegistryRecord();
  if (record !== undefined) await endProcess(record.server, "SIGTERM");
  await runCommand("ip", ["addr", "del", `${registryHost}/32`, "dev", "lo"]);
  await rm(registryFolder, { recursive: true, force: true });
};

/** Names the prepared storage by the images in it, so that a rebuilt image is pushed anew. */
const preparedStorage = async (): Promise<string> => {
  const ids = await runChecked("docker", ["image", "inspect", "--format", "{{slice .Id 7 15}}", ...mirrored]);
  return join(preparedFolder, `registry-${ids.trim().split("\n").join("-")}`);
};

const pushMirrored = async (prepared: string): Promise<void> => {
  for (const image of mirrored) await pushToRegistry(image, image.includes("/") ? image : `library/${image}`);
  const partial = `${prepared}.partial-${performance.timeOrigin}`;
  await cp(storageFolder, partial, { recursive: true });
  await rm(prepared, { recursive: true, force: true });
  await rename(partial, prepared);
  for (const entry of await readdir(preparedFolder)) {
    const folder = join(preparedFolder, entry);
    if (entry.startsWith("registry-") && folder !== prepared) await rm(folder, { recursive: true, force: true });
  }
};

/** Starts the lab's registry with the mirrored images in it, or joins the one that runs. */
export const startRegistry = ({ keep = false }: RegistryOptions = {}): Promise<LabRegistry> =>
  withLabLock("registry", () => startOrJoin(keep));

const startOrJoin = async (keep: boolean): Promise<LabRegistry> => {
  const running = await readRegistryRecord();
  if (running !== undefined && isAlive(running.server)) {
    await waitUntil("the lab's registry answers", answers);
    return { address: registryAddress, stop: () => Promise.resolve() };
  }
  await destroyRegistry();
  const prepared = await preparedStorage();
  await mkdir(preparedFolder, { recursive: true });
  const isPrepared = (await readdir(preparedFolder)).some((entry) => join(preparedFolder, entry) === prepared);
  if (isPrepared) await cp(prepared, storageFolder, { recursive: true });
  await startServer(keep);
  if (!isPrepared) await pushMirrored(prepared);
  return { address: registryAddress, stop: destroyRegistry };
};
