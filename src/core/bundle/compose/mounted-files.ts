import { posix } from "node:path";
import type { ServiceFile } from "../../deployer/release-spec.ts";
import type { ComposeFile, ComposeFileSource, ComposeModel, ComposeService } from "./compose-model.ts";
import type { Findings } from "./findings.ts";

/** Compose's own default: a container's user is often not root. The folder on the host is closed to everybody else. */
const defaultMode = "0444";
const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Where contents come from. */
interface Sources {
  readonly model: ComposeModel;
  /** Contents of files of `configs:`, by name. */
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * The secrets and configs of a service as files, by their path in the container. A secret's content is a variable, which
 * the environment gives; a config's is a text of the bundle.
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
    const content = configContent(wanted.source, model.configs, texts, findings);
    return { at: `${path}.configs.${wanted.source}`, wanted, folder: "/", content };
  });
  const files: Record<string, ServiceFile> = {};
  for (const { at, wanted, folder, content } of [...secrets, ...configs]) {
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
  // A file is taken as it is; only what stands in the compose file itself has variables.
  if (text !== undefined) return text.replaceAll("$", "$$$$");
  return refused(findings, at, "the host does not have it. Write its `content:`, or the `file:` that it is.");
}

function asVariable(at: string, name: string, findings: Findings): string | undefined {
  return variableName.test(name) ? `\${${name}}` : refused(findings, at, `${name} is no name of a variable.`);
}

function refused(findings: Findings, at: string, reason: string): undefined {
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
