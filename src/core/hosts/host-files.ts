import { readFile, readdir, rename, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { isMap } from "yaml";
import * as z from "zod";
import { explainIssues, nearestName } from "../config/explain-issues.ts";
import { readYaml } from "../config/read-yaml.ts";
import { hostSetup, hostsConfig, wayKeys, type HostConfig, type HostSetup, type HostWay } from "../config/schema.ts";
import { bridgeApp } from "../config/bridge-names.ts";
import { IkomaError } from "../errors.ts";
import { errorCode } from "../system-error.ts";

/** The stack that sets hosts up. */
export const hostsStack = "hosts";

/** What a stack's file says of hosts. */
export interface HostFile {
  readonly path: string;
  readonly stack: string;
  readonly hosts: Readonly<Record<string, HostWay>>;
  readonly setup: Readonly<Record<string, HostSetup>>;
  /** Hosts that are prepared before the agent is put there. */
  readonly preparedHosts: readonly string[];
  /** Hosts that the stack's apps are on. */
  readonly usedHosts: readonly string[];
  /** Which app is on which host. */
  readonly appHosts: Readonly<Record<string, string>>;
}

/** Encrypted values are read by the program alone; what the steps say is checked there. */
const readableSetup = z.record(z.string(), hostSetup.extend({ prepare: z.array(z.unknown()).default([]) }));

const stackFile = z
  .looseObject({
    config: z
      .looseObject({
        "ikoma:hosts": hostsConfig.nullish(),
        "ikoma:setup": readableSetup.nullish(),
        "ikoma:apps": z.record(z.string(), z.looseObject({ host: z.string().optional() })).nullish(),
        "ikoma:bridge": z.looseObject({ host: z.string().optional() }).nullish(),
      })
      .nullish(),
  })
  .nullish();

/** The file of a stack, whether it is there or not. */
export function hostFilePath(folder: string, stack: string): string {
  return join(folder, `Pulumi.${stack}.yaml`);
}

/**
 * Reads all `Pulumi.<stack>.yaml` of a folder, that of the stack `hosts` first.
 *
 * @throws CONFIG_INVALID naming file and setting
 */
export async function readHostFiles(folder: string): Promise<HostFile[]> {
  const stacks = (await readdir(folder)).flatMap((name) => /^Pulumi\.([A-Za-z0-9_.-]+)\.yaml$/.exec(name)?.[1] ?? []);
  stacks.sort((a, b) => Number(b === hostsStack) - Number(a === hostsStack) || a.localeCompare(b));
  return Promise.all(stacks.map((stack) => readHostFile(hostFilePath(folder, stack), stack)));
}

async function readHostFile(path: string, stack: string): Promise<HostFile> {
  const parsed = stackFile.safeParse(readYaml(await readFile(path, "utf8"), path).value);
  if (!parsed.success) {
    const problems = explainIssues(stackFile, parsed.error).map(
      (issue) => `${issue.path.slice(1).join(".")}: ${issue.message}`,
    );
    throw new IkomaError("CONFIG_INVALID", `${basename(path)}: ${problems.join("; ")}`, {
      details: { path, problems },
    });
  }
  const config = parsed.data?.config ?? {};
  const { "ikoma:apps": apps, "ikoma:bridge": bridge } = config;
  const all = { ...apps, ...(bridge != null && { [bridgeApp]: bridge }) };
  const placed = Object.entries(all).flatMap(([app, { host }]): [string, string][] =>
    host === undefined ? [] : [[app, host]],
  );
  const appHosts = Object.fromEntries<string>(placed);
  const { "ikoma:hosts": hosts, "ikoma:setup": setups } = config;
  const setup: Record<string, HostSetup> = {};
  const preparedHosts: string[] = [];
  for (const [name, { prepare, ...ofAgent }] of Object.entries(setups ?? {})) {
    setup[name] = ofAgent;
    if (prepare.length > 0) preparedHosts.push(name);
  }
  const usedHosts = Object.values(appHosts);
  return { path, stack, hosts: hosts ?? {}, setup, preparedHosts, usedHosts, appHosts };
}

/** A host as the stacks' files say. */
export interface FoundHost {
  readonly host: HostWay;
  /** Defaults where none is given. */
  readonly setup: HostSetup;
  readonly isPrepared: boolean;
}

/** A host by its name, as the first file that knows it says, and its setup. */
export function findHost(files: readonly HostFile[], name: string): FoundHost {
  const host = files.find((file) => file.hosts[name] !== undefined)?.hosts[name];
  const setup = files.find((file) => file.setup[name] !== undefined)?.setup[name];
  const isPrepared = files.some(({ stack, preparedHosts }) => stack === hostsStack && preparedHosts.includes(name));
  if (host !== undefined) return { host, setup: setup ?? hostSetup.parse({}), isPrepared };
  const nearest = nearestName(
    name,
    files.flatMap((file) => Object.keys(file.hosts)),
  );
  throw new IkomaError("CONFIG_MISSING", `No stack's file knows a host "${name}".`, {
    hint:
      nearest === undefined
        ? `Run \`ikoma host trust ${name} ADDRESS\` first.`
        : `Did you mean ${nearest}? Else run \`ikoma host trust ${name} ADDRESS\`.`,
  });
}

/** What is written of a host: defaults are left out. */
export type HostEntry = Pick<HostConfig, "address" | "hostKey"> & Partial<HostConfig>;

/** The text of a stack's file with a host in `ikoma:hosts`; comments and all else stay. */
export function editHostEntry(text: string, name: string, entry: HostEntry): string {
  const { document } = readYaml(text, "The stack's file");
  const path = ["config", "ikoma:hosts", name];
  for (const above of [["config"], ["config", "ikoma:hosts"]]) {
    if (!isMap(document.getIn(above))) document.setIn(above, document.createNode({}));
  }
  if (!isMap(document.getIn(path))) document.setIn(path, document.createNode({}));
  const wanted: Record<string, unknown> = entry;
  for (const key of wayKeys) {
    if (wanted[key] === undefined) document.deleteIn([...path, key]);
    else if (document.getIn([...path, key]) !== wanted[key]) document.setIn([...path, key], wanted[key]);
  }
  return document.toString({ lineWidth: 0 });
}

/**
 * Puts a host into a stack's file, which is made where there is none.
 *
 * @returns whether the file changed
 */
export async function writeHostEntry(path: string, name: string, entry: HostEntry): Promise<boolean> {
  const before = await readFile(path, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  const after = editHostEntry(before ?? "", name, entry);
  if (after === before) return false;
  await replaceFile(path, after, before === undefined ? 0o644 : (await stat(path)).mode);
  return true;
}

/** Takes a host out of a stack's file: its entry and its setup. All else stays, encrypted secrets included. */
export async function removeHostEntry(path: string, name: string): Promise<void> {
  const { document } = readYaml(await readFile(path, "utf8"), path);
  for (const key of ["ikoma:hosts", "ikoma:setup"]) {
    if (!isMap(document.getIn(["config", key]))) continue;
    document.deleteIn(["config", key, name]);
    const left = document.getIn(["config", key]);
    if (isMap(left) && left.items.length === 0) document.deleteIn(["config", key]);
  }
  await replaceFile(path, document.toString({ lineWidth: 0 }), (await stat(path)).mode);
}

async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, text, { mode });
  await rename(partial, path);
}
