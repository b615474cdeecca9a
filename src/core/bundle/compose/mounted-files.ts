import { posix } from "node:path";
import type { ServiceFile } from "../../release/release-spec.ts";
import type { ComposeFile, ComposeFileSource, ComposeModel, ComposeMount, ComposeService } from "./compose-model.ts";
import type { Findings } from "./findings.ts";
import { isLocalMount } from "./local-texts.ts";
import type { LocalText, LocalTexts } from "./local-texts.ts";

/** Compose's own default: a container's user is often not root. The folder on the host is closed to everybody else. */
const defaultMode = "0444";
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Where contents come from. */
interface Sources {
  readonly model: ComposeModel;
  readonly texts: LocalTexts;
}

/**
 * The secrets, configs and mounted local files of a service, by their path in the container. A secret's content is a
 * variable, which the environment gives; that of the others is a text of the bundle.
 *
 * @param path of the service, for messages
 */
export function serviceFilesOf(
  path: string,
  service: ComposeService,
  { model, texts }: Sources,
  findings: Findings,
): Record<string, ServiceFile> {
  const secrets = (service.secrets ?? []).map((wanted) => {
    const content = secretContent(wanted.source, model.secrets, findings);
    return { at: `${path}.secrets.${wanted.source}`, wanted, folder: "/run/secrets", content };
  });
  const configs = (service.configs ?? []).map((wanted) => {
    const content = configContent(wanted.source, model.configs, texts.configs, findings);
    return { at: `${path}.configs.${wanted.source}`, wanted, folder: "/", content };
  });
  const mounted = (service.volumes ?? []).filter(isLocalMount).flatMap((mount) => mountedTexts(path, mount, texts));
  const files: Record<string, ServiceFile> = {};
  for (const { at, wanted, folder, content } of [...secrets, ...configs, ...mounted]) {
    const target = posix.resolve(folder, wanted.target ?? wanted.source);
    if (Object.hasOwn(files, target)) findings.refuse(at, `${target} has another content already.`);
    if (/[$:\0]/.test(target)) findings.refuse(at, `${target} is no path that a file can be put at.`);
    if (content !== undefined) files[target] = { content, ...accessOf(at, wanted, findings) };
  }
  return files;
}

function secretContent(name: string, declared: ComposeModel["secrets"], findings: Findings): string | undefined {
  const at = `secrets.${name}`;
  if (!Object.hasOwn(declared, name)) return refused(findings, at, "it is not declared under `secrets:`.");
  const { environment, file } = declared[name] ?? {};
  if (environment !== undefined) return asVariable(at, environment, findings);
  // A bundle holds no secret, and the host does not have the file: the environment's own secret takes its place.
  const variable = name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, "_");
  const instead = file === undefined ? "it is external" : `the file ${file} is not taken along`;
  findings.warn(at, `${instead}; its value is the secret ${variable} of the environment.`);
  return asVariable(at, variable, findings);
}

function configContent(
  name: string,
  declared: ComposeModel["configs"],
  texts: ReadonlyMap<string, string>,
  findings: Findings,
): string | undefined {
  const at = `configs.${name}`;
  if (!Object.hasOwn(declared, name)) return refused(findings, at, "it is not declared under `configs:`.");
  const { environment, content }: NonNullable<ComposeFileSource> = declared[name] ?? {};
  if (environment !== undefined) return asVariable(at, environment, findings);
  if (content !== undefined) return content;
  const text = texts.get(name);
  if (text !== undefined) return asItIs(text);
  return refused(findings, at, "the host does not have it. Write its `content:`, or the `file:` that it is.");
}

interface WantedFile {
  readonly at: string;
  readonly wanted: ComposeFile;
  readonly folder: string;
  readonly content: string | undefined;
}

function mountedTexts(path: string, { source = "", target }: ComposeMount, { mounts }: LocalTexts): WantedFile[] {
  const texts = mounts.get(source);
  if (!(texts instanceof Map)) return []; // Refused where mounts are checked.
  return [...(texts as ReadonlyMap<string, LocalText>)].map(([name, { text, isExecutable }]) => {
    const wanted = { source, target: posix.join(target, name), mode: isExecutable ? "0555" : defaultMode };
    return { at: `${path}.volumes`, wanted, folder: "/", content: asItIs(text) };
  });
}

/** Only what stands in the compose file itself has variables. */
function asItIs(text: string): string {
  return text.replaceAll("$", "$$$$");
}

function asVariable(at: string, name: string, findings: Findings): string | undefined {
  return variableName.test(name) ? `\${${name}}` : refused(findings, at, `${name} is no name of a variable.`);
}

/** Nothing, in place of the content. */
function refused(findings: Findings, at: string, reason: string): string | undefined {
  findings.refuse(at, reason);
  return undefined;
}

function accessOf(at: string, { mode, uid, gid }: ComposeFile, findings: Findings): Omit<ServiceFile, "content"> {
  return {
    mode: mode === undefined ? defaultMode : octal(at, mode, findings),
    ...numbered("uid", at, uid, findings),
    ...numbered("gid", at, gid, findings),
  };
}

/** Compose gives `0440` as the number 288, and `"0440"` as the text. */
function octal(at: string, mode: string | number, findings: Findings): string {
  const text = typeof mode === "number" ? mode.toString(8) : mode;
  if (/^0?[0-7]{3}$/.test(text)) return text.padStart(4, "0");
  findings.refuse(`${at}.mode`, `${text} is no mode such as 0440.`);
  return defaultMode;
}

function numbered<K extends "uid" | "gid">(
  key: K,
  at: string,
  value: string | number | undefined,
  findings: Findings,
): { [key in K]?: number } {
  if (value === undefined) return {};
  if (/^\d+$/.test(String(value))) return { [key]: Number(value) } as { [key in K]?: number };
  findings.refuse(`${at}.${key}`, `${value} is no number.`);
  return {};
}
