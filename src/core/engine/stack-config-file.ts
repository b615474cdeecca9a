import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseDocument } from "yaml";
import * as z from "zod";
import { offlineSetting } from "../config/offline.ts";
import { readYaml } from "../config/read-yaml.ts";
import { hostsConfig, type HostWay } from "../config/schema.ts";
import { keptPolicy, type Policy } from "../policies/policy-config.ts";
import { processExists } from "./process-exists.ts";

/** Where the configuration of a stack is, beside Pulumi.yaml. */
export function stackConfigFile(workDir: string, stackName: string): string {
  // `organization/project/stack` in full form; the file is named for the last part.
  const name = stackName.split("/").at(-1) ?? stackName;
  return join(workDir, `Pulumi.${name}.yaml`);
}

const stackFile = z.looseObject({
  config: z.looseObject({ "ikoma:hosts": hostsConfig.default({}), "ikoma:offline": offlineSetting }),
});
const policyFile = z.looseObject({ config: z.looseObject({ "ikoma:policy": z.unknown() }) });

/** What the stack's file says of the ways to its hosts. */
export interface HostReach {
  hosts: Readonly<Record<string, HostWay>>;
  /** Nobody dials them. */
  offline: boolean;
  /** What changes have to keep to. */
  policy: Policy | undefined;
}

/** How hosts are reached now. Nothing is known where the file is missing or not valid: the program says what is wrong. */
export async function readHostReach(configFile: string): Promise<HostReach> {
  const text = await readFile(configFile, "utf8").catch(() => "");
  const content = contentOf(text);
  const file = stackFile.safeParse(content);
  const policy = keptPolicy(policyFile.safeParse(content).data?.config["ikoma:policy"]);
  return file.success
    ? { hosts: file.data.config["ikoma:hosts"], offline: file.data.config["ikoma:offline"], policy }
    : { hosts: {}, offline: false, policy };
}

/** As far as it can be read. */
function contentOf(text: string): unknown {
  try {
    return parseDocument(text).toJS();
  } catch {
    // An alias without its anchor, which may be a secret, is in the parser's words.
    return undefined;
  }
}

/**
 * Runs `use` with a copy of the stack's configuration in which some settings are others, for one run: what the
 * stack's own file says stays as it is. The copy has the same salt and the same encrypted values, so secrets stay readable.
 *
 * `settings` is by path below `config:`, such as `["ikoma:apps", "shop", "bundle"]`; undefined takes a setting out.
 */
export async function withConfigOverride<T>(
  configFile: string,
  settings: readonly { path: readonly string[]; value: unknown }[],
  use: (configFile: string) => Promise<T>,
): Promise<T> {
  const { document } = readYaml(await readFile(configFile, "utf8"), configFile);
  for (const { path, value } of settings) {
    if (value === undefined) document.deleteIn(["config", ...path]);
    else document.setIn(["config", ...path], value);
  }
  await removeLeftCopies();
  const folder = await mkdtemp(join(tmpdir(), `${copyPrefix}${process.pid}-`));
  try {
    const copy = join(folder, `${randomUUID()}.yaml`);
    await writeFile(copy, document.toString(), { mode: 0o600 });
    return await use(copy);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const copyPrefix = "ikoma-config-";

/** Copies of commands that were killed: their values are encrypted, but what is nobody's need not lie about. */
async function removeLeftCopies(): Promise<void> {
  const names = await readdir(tmpdir()).catch(() => []);
  const left = names.filter((name) => {
    const pid = name.startsWith(copyPrefix) ? Number(name.slice(copyPrefix.length).split("-")[0]) : Number.NaN;
    return Number.isInteger(pid) && !processExists(pid);
  });
  // Another user's cannot be removed; that is no reason to fail.
  await Promise.allSettled(left.map((name) => rm(join(tmpdir(), name), { recursive: true })));
}
