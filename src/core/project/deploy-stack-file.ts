import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { isMap, isNode, isScalar, parse, type Document, type Pair } from "yaml";
import * as z from "zod";
import { appOfBridge } from "../config/bridge.ts";
import { explainIssues, nearestName } from "../config/explain-issues.ts";
import { readYaml } from "../config/read-yaml.ts";
import { bridgeApp, settingsPath } from "../config/bridge-names.ts";
import { offlineSetting } from "../config/offline.ts";
import { appsConfig, bridgeConfig, hostsConfig, type AppConfig, type HostWay } from "../config/schema.ts";
import type { NamedHost } from "../transport/host-agent.ts";
import { IkomaError } from "../errors.ts";
import { policyConfig, type Policy } from "../policies/policy-config.ts";
import { storeConfig, type StoreConfig } from "../secret-store/store-config.ts";

/** What a stack's file says of its hosts and apps. Secrets are not in it: they stay encrypted in the file. */
export interface StackSettings {
  readonly hosts: Readonly<Record<string, HostWay>>;
  readonly apps: Readonly<Record<string, AppConfig>>;
  /** Names of the secret variables that the file has, by app. */
  readonly secretNames?: Readonly<Record<string, readonly string[]>> | undefined;
  /** What changes have to keep to; undefined where the file says nothing of it. */
  readonly policy?: Policy | undefined;
  /** Where secrets may come from; undefined where the file says nothing of it. */
  readonly store?: StoreConfig | undefined;
  /** Plans are made without looking at hosts. */
  readonly offline?: boolean | undefined;
}

/** A change of one app's settings: values to set (as they should be afterwards, whole) and settings to take out. */
export interface AppEdit {
  readonly app: string;
  readonly set: Readonly<Record<string, unknown>>;
  readonly remove: readonly string[];
}

const appsKey = "ikoma:apps";
const bridgeKey = "ikoma:bridge";
const secretsKey = "ikoma:secrets";
const hostsKey = "ikoma:hosts";
const policyKey = "ikoma:policy";
const storeKey = "ikoma:store";
const offlineKey = "ikoma:offline";
const stackFile = z.looseObject({ config: z.record(z.string(), z.unknown()).nullish() }).nullish();

/**
 * Reads `Pulumi.<stack>.yaml`.
 *
 * @throws CONFIG_INVALID naming the setting that is wrong
 */
export async function readStackSettings(path: string): Promise<StackSettings> {
  const { value } = readYaml(await readFile(path, "utf8"), path);
  const config = checked(stackFile, value, undefined, path)?.config ?? {};
  const apps = checked(appsConfig, config[appsKey] ?? {}, appsKey, path);
  const bridge = checked(bridgeConfig.optional(), config[bridgeKey], bridgeKey, path);
  return {
    hosts: checked(hostsConfig, config[hostsKey] ?? {}, hostsKey, path),
    apps: bridge === undefined ? apps : { ...apps, [bridgeApp]: appOfBridge(bridge) },
    secretNames: secretNamesIn(config[secretsKey]),
    policy: checked(policyConfig.optional(), config[policyKey], policyKey, path),
    store: checked(storeConfig.optional(), config[storeKey], storeKey, path),
    offline: checked(offlineSetting, config[offlineKey], offlineKey, path),
  };
}

const namedSecrets = z.record(z.string(), z.record(z.string(), z.unknown()).catch({})).catch({});

/** Of what is encrypted as a whole no name is told. */
function secretNamesIn(secrets: unknown): Record<string, string[]> {
  return Object.fromEntries(Object.entries(namedSecrets.parse(secrets)).map(([app, each]) => [app, Object.keys(each)]));
}

/** @param key of the value in the file; undefined for the whole */
function checked<S extends z.ZodType>(schema: S, value: unknown, key: string | undefined, path: string): z.infer<S> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const problems = explainIssues(schema, read.error).map((issue) => {
    const place = [...(key === undefined ? [] : [key]), ...issue.path].join(".");
    return place === "" ? issue.message : `${place}: ${issue.message}`;
  });
  throw new IkomaError("CONFIG_INVALID", `${path}: ${problems.join("; ")}`, { details: { problems } });
}

/** The app that is meant: the named one, or the only one. */
export function chooseApp(settings: Pick<StackSettings, "apps">, named: string | undefined, stackName: string): string {
  const apps = Object.keys(settings.apps);
  if (named !== undefined) {
    if (apps.includes(named)) return named;
    const nearest = nearestName(named, apps);
    throw new IkomaError("APP_UNKNOWN", `The stack ${stackName} has no app "${named}".`, {
      hint: nearest === undefined ? `It has: ${apps.join(", ") || "none"}.` : `Did you mean ${nearest}?`,
    });
  }
  const [only, ...others] = apps;
  if (only !== undefined && others.length === 0) return only;
  const [place = appsKey] = settingsPath(stackName, bridgeApp);
  if (only === undefined)
    throw new IkomaError("CONFIG_MISSING", `The stack ${stackName} has no app: \`${place}\` is empty.`);
  throw new IkomaError("USAGE", `Which app of ${stackName}?`, { hint: `Name one with --app: ${apps.join(", ")}.` });
}

/**
 * Of an app without a bundle a run would take away what serves: the program has nothing to say of it.
 *
 * @throws CONFIG_MISSING where the app, or one of the stack, names no bundle
 */
export function requireBundles(
  settings: Pick<StackSettings, "apps">,
  named: string | undefined,
  stackName: string,
): void {
  const apps = named === undefined ? Object.keys(settings.apps) : [chooseApp(settings, named, stackName)];
  const without = apps.filter((app) => settings.apps[app]?.bundle === undefined);
  if (without.length === 0) return;
  throw new IkomaError("CONFIG_MISSING", `Which bundle? The stack ${stackName} names none for ${without.join(", ")}.`, {
    hint: "Name one with --bundle (and --app, where the stack has several); a deploy that goes well keeps it in the stack's file.",
  });
}

/** The host of an app, and how to reach it. */
export function hostOf(settings: Pick<StackSettings, "apps" | "hosts">, app: string): NamedHost {
  const name = settings.apps[app]?.host ?? "";
  const way = settings.hosts[name];
  if (way !== undefined) return { name, way };
  const hint = `Run \`ikoma host trust ${name} ADDRESS\`.`;
  throw new IkomaError(
    "CONFIG_MISSING",
    `The app ${app} is on the host "${name}", which \`${hostsKey}\` does not know.`,
    { hint },
  );
}

/**
 * The text of a stack's file with an app's settings changed. Everything else stays, comments included: only values
 * that differ are touched, down to single entries of a map. What is a matter of single lines (a new pin) is edited
 * in the text, so that the commit shows those lines and no other.
 *
 * @param place of the app's settings below `config:`
 */
export function editAppSettings(
  text: string,
  { app, set, remove }: AppEdit,
  place: readonly string[] = [appsKey, app],
): string {
  const base = ["config", ...place];
  const lined = editLines(text, base, set, remove);
  const { document } = readYaml(lined, "The stack's file");
  if (!isMap(document.getIn(base)))
    throw new IkomaError("CONFIG_MISSING", `There are no settings of the app "${app}" (\`${place.join(".")}\`).`);
  const deleted = remove.filter((key) => document.deleteIn([...base, key]));
  const merged = Object.entries(set).filter(([key, value]) => mergeValue(document, [...base, key], value));
  return deleted.length + merged.length === 0 ? lined : document.toString({ lineWidth: 0 });
}

/** A piece of the text and what takes its place. */
interface TextEdit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

function editLines(text: string, base: readonly string[], set: AppEdit["set"], remove: AppEdit["remove"]): string {
  const settings = readYaml(text, "The stack's file").document.getIn(base);
  if (!isMap(settings) || settings.flow === true) return text;
  const lines = new Map(settings.items.flatMap((pair) => oneLine(pair, text)));
  const edits: TextEdit[] = remove
    .flatMap((key) => lines.get(key)?.whole ?? [])
    .map((whole) => ({ ...whole, text: "" }));
  for (const [key, wanted] of Object.entries(set)) {
    const word = typeof wanted === "string" && settings.get(key) !== wanted ? asWord(wanted) : undefined;
    const own = lines.get(key);
    // A new setting goes below the pin, or whatever else is on one line.
    const above = settings.has(key) ? undefined : (lines.get("bundle") ?? [...lines.values()].at(-1));
    if (word !== undefined && own !== undefined) edits.push({ ...own.value, text: word });
    else if (word !== undefined && above !== undefined) {
      edits.push({ from: above.whole.to, to: above.whole.to, text: `${above.indent}${key}: ${word}\n` });
    }
  }
  edits.sort((a, b) => b.from - a.from);
  return edits.reduce((current, { from, to, text: word }) => current.slice(0, from) + word + current.slice(to), text);
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** Where a setting stands that is alone on its line, with a plain or quoted word as its value. */
function oneLine({ key, value }: Pair, text: string): [string, { whole: Span; value: Span; indent: string }][] {
  if (!isScalar(key) || !isScalar(value) || key.range == null || value.range == null) return [];
  if (value.type === "BLOCK_FOLDED" || value.type === "BLOCK_LITERAL") return [];
  const from = text.lastIndexOf("\n", key.range[0]) + 1;
  const end = text.indexOf("\n", value.range[1]);
  const indent = text.slice(from, key.range[0]);
  if (end === -1 || indent.trim() !== "" || text.slice(from, value.range[1]).includes("\n")) return [];
  return [
    [String(key.value), { whole: { from, to: end + 1 }, value: { from: value.range[0], to: value.range[1] }, indent }],
  ];
}

/** Plain where YAML reads it back as the same text, else quoted. */
function asWord(value: string): string {
  return /^[\w./@:+-]+$/.test(value) && parse(value) === value ? value : JSON.stringify(value);
}

/** Answers whether anything had to be changed. */
function mergeValue(document: Document, path: readonly string[], wanted: unknown): boolean {
  const node = document.getIn(path, true);
  const current: unknown = isNode(node) ? node.toJS(document) : undefined;
  if (isDeepStrictEqual(current, wanted)) return false;
  if (!isMap(node) || !isPlainMap(wanted) || !isPlainMap(current)) {
    document.setIn(path, document.createNode(wanted));
    return true;
  }
  for (const key of Object.keys(current)) if (!Object.hasOwn(wanted, key)) document.deleteIn([...path, key]);
  for (const [key, value] of Object.entries(wanted)) mergeValue(document, [...path, key], value);
  return true;
}

function isPlainMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Replaces the file by rename, so that a crash leaves the old one or the new one. Its mode stays. */
export async function writeStackFile(path: string, text: string): Promise<void> {
  const { mode } = await stat(path);
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, text, { mode });
  await rename(partial, path);
}
