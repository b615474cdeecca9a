import { isNode, isPair, LineCounter, visit, type Document } from "yaml";
import * as z from "zod";
import { bakePolicy, releaseSpec } from "../release/release-spec.ts";
import { IkomaError } from "../errors.ts";
import { storeSource } from "../secret-store/store-config.ts";
import { explainIssues } from "./explain-issues.ts";
import { readYaml } from "./read-yaml.ts";
import { appConfig, stackSettings } from "./schema.ts";

/** Where a value comes from. */
export type Origin =
  | { readonly kind: "file"; readonly file: string; readonly line: number }
  | { readonly kind: "default" }
  /** The bundle may say something else. */
  | { readonly kind: "bundle-or-default" };

/** One setting that is in force. */
export interface EffectiveSetting {
  /** `ikoma:apps.shop.keep` */
  readonly path: string;
  /** `[secret]` for a secret. */
  readonly value: unknown;
  readonly origin: Origin;
}

const mask = "[secret]";
const prefix = "ikoma:";
const stackFile = z.looseObject({ config: z.record(z.string(), z.unknown()).nullish() }).nullish();

type Settings = z.infer<typeof stackSettings>;
type Path = readonly (string | number)[];

/**
 * Every setting of a stack that is in force, defaults included. Secrets are masked:
 * neither their text nor their cipher text is in it.
 *
 * @param file name of the file, for the origins
 * @throws CONFIG_INVALID that names every wrong setting by its path
 */
export function explainConfig(text: string, file: string): EffectiveSetting[] {
  const lines = new LineCounter();
  const { document, value: content } = readYaml(text, file, lines);
  const given = maskSecrets(ownSettings(content, file));
  const effective = checked(given, file);
  const setting = (path: Path, value: unknown): EffectiveSetting => {
    const line = lineOf(document, lines, path);
    const [key = "", ...rest] = path;
    const origin = line === undefined ? ({ kind: "default" } as const) : ({ kind: "file", file, line } as const);
    return { path: [prefix + String(key), ...rest].join("."), value, origin };
  };
  return leaves(withBake(effective), [])
    .map(([path, value]) => setting(path, value))
    .concat(releaseDefaults(effective));
}

function ownSettings(content: unknown, file: string): Record<string, unknown> {
  const read = stackFile.safeParse(content);
  if (!read.success)
    throw new IkomaError("CONFIG_INVALID", `${file} is no stack's file: ${z.prettifyError(read.error)}`);
  const config = read.data?.config ?? {};
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}

const encrypted = z.strictObject({ secure: z.string() });

/** Where a secret is from, which is none itself. The arguments of a command may be anything. */
const openSource = z.union([storeSource, z.strictObject({ env: z.string() })]);

/**
 * Encrypted values, wherever they stand, and everything under `secrets` but the names of sources. A source stands below
 * app and variable: an app with a secret called `env` is none, though it looks like one.
 */
function maskSecrets(value: unknown, path: Path = []): unknown {
  if (encrypted.safeParse(value).success) return mask;
  const isSecret = path.includes("secrets");
  if (path[0] === "secrets" && path.length === 3 && openSource.safeParse(value).success) return value;
  if (Array.isArray(value)) return value.map((each, index) => maskSecrets(each, [...path, index]));
  if (typeof value !== "object" || value === null) return isSecret ? mask : value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, maskSecrets(each, [...path, key])]));
}

function checked(given: unknown, file: string): Settings {
  const read = stackSettings.safeParse(given);
  if (read.success) return read.data;
  const problems = explainIssues(stackSettings, read.error).map(
    ({ path, message }) => `${prefix}${path.join(".")}: ${message}`,
  );
  throw new IkomaError("CONFIG_INVALID", `${file}: ${problems.join("; ")}`, { details: { problems } });
}

/** Values that hold no others; lists and empty maps count as one value. */
function leaves(value: unknown, path: Path): [Path, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  if (entries.length === 0) return path.length === 0 ? [] : [[path, {}]];
  return entries.flatMap(([key, each]) => leaves(each, [...path, key]));
}

/** The line of a setting's key; undefined where the file does not say it. */
function lineOf(document: Document, lines: LineCounter, [key = "", ...rest]: Path): number | undefined {
  const wanted = ["config", prefix + String(key), ...rest];
  let line: number | undefined;
  visit(document, {
    Pair: (_index, pair, parents) => {
      const path = [...parents, pair].flatMap((each) => (isPair(each) ? [keyText(each.key)] : []));
      if (path.join("\0") !== wanted.join("\0")) return undefined;
      line = isNode(pair.key) && pair.key.range != null ? lines.linePos(pair.key.range[0]).line : undefined;
      return visit.BREAK;
    },
  });
  return line;
}

function keyText(key: unknown): string {
  return typeof key === "object" && key !== null && "value" in key ? String(key.value) : String(key);
}

/** How a release is watched is never the bundle's matter: what an app does not say holds by default. */
function withBake(settings: Settings): Settings {
  if (settings.apps === undefined) return settings;
  const watched = Object.entries(settings.apps).map(
    ([name, app]) => [name, { ...app, bake: app.bake ?? bakePolicy.parse({}) }] as const,
  );
  return { ...settings, apps: Object.fromEntries(watched) };
}

/** What an app leaves to its bundle (health, smoke checks, draining), with what holds where the bundle is silent too. */
function releaseDefaults({ apps = {}, bridge }: Settings): EffectiveSetting[] {
  const shared = Object.entries(releaseSpec.shape).filter(
    ([key]) => key !== "bundle" && Object.hasOwn(appConfig.shape, key),
  );
  const own = bridge === undefined ? [] : [{ place: ["bridge"], settings: bridge }];
  const placed = Object.entries(apps).map(([app, settings]) => ({ place: ["apps", app], settings }));
  return [...placed, ...own].flatMap(({ place, settings }) => {
    const said = new Map(Object.entries(settings));
    return shared
      .filter(([key]) => said.get(key) === undefined)
      .flatMap(([key, schema]) => leaves(schema.parse(undefined), [...place, key]))
      .map(([path, value]) => ({
        path: prefix + path.join("."),
        value,
        origin: { kind: "bundle-or-default" } as const,
      }));
  });
}
