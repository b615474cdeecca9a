import { IkomaError, type ErrorCode } from "../errors.ts";

/**
 * What the engine says when it fails, and which of our errors that is. The texts are those of Pulumi 3.259; the idea
 * of one table is pulumi-kubernetes-operator's `pulumi_errors.go`. The first line that fits wins.
 */
const knownFailures: readonly { pattern: RegExp; code: ErrorCode; message?: string; hint?: string }[] = [
  { pattern: /the stack is currently locked by/, code: "STACK_LOCKED" },
  { pattern: /no stack named '[^']*' found/, code: "STACK_NOT_FOUND" },
  {
    pattern: /unable to read PULUMI_CONFIG_PASSPHRASE_FILE/,
    code: "PASSPHRASE_MISSING",
    hint: "Correct PULUMI_CONFIG_PASSPHRASE_FILE, or set PULUMI_CONFIG_PASSPHRASE.",
  },
  {
    pattern: /passphrase must be set|PULUMI_CONFIG_PASSPHRASE/,
    code: "PASSPHRASE_MISSING",
    message: "The stack's secrets are encrypted and no passphrase was given.",
  },
  {
    pattern: /incorrect passphrase/,
    code: "PASSPHRASE_MISSING",
    message: "The passphrase does not fit this stack's secrets.",
    hint: "Set PULUMI_CONFIG_PASSPHRASE to the passphrase that the stack was made with.",
  },
  {
    pattern: /no Pulumi\.yaml project file found/,
    code: "CONFIG_MISSING",
    message: "There is no Pulumi.yaml here or above.",
    hint: "Run in the project's folder, or name it with --cwd.",
  },
  { pattern: /could not unmarshal|invalid (?:YAML|project) file|unable to parse/, code: "CONFIG_INVALID" },
  {
    pattern: /is protected|marked for protection/,
    code: "ENGINE_FAILED",
    hint:
      "The long-lived services of an app are protected. To take an app away, set `protectAccessories: false`, apply, " +
      "then remove it; its volumes stay in any case. Renamed it? The host knows an app by its name: under another one " +
      "it begins with empty volumes, so keep the name (its domains may change).",
  },
  { pattern: /resource '.*' has a problem: /, code: "CONFIG_INVALID" },
  {
    pattern: /could not find plugin/,
    code: "ENGINE_MISSING",
    hint: "Install the named plugin: `pulumi plugin install`.",
  },
  {
    pattern: /update cancell?ed|operation cancell?ed|\bcancell?ed\b/,
    code: "CANCELLED",
    message: "The run was cancelled.",
  },
];

const missingPlugin = /resource plugin 'pulumi-resource-([\w-]+)'.* at version (v[\w.-]+)/;

/** A plugin that is not there, and was not to be had or not to be fetched; it is a package's other half. */
function pluginFailure(text: string, cause: unknown): IkomaError | undefined {
  const [, name = "", version = ""] = missingPlugin.exec(text) ?? [];
  if (name === "") return undefined;
  const attempt = /Could not automatically download/.test(text) ? ", and could not be downloaded" : "";
  const use = name === "command" ? ", which runs the steps of `prepare`," : "";
  return new IkomaError("ENGINE_MISSING", `Pulumi's plugin ${name} ${version}${use} is not installed${attempt}.`, {
    hint: `Install it where the engine runs: \`pulumi plugin install resource ${name} ${version}\`.`,
    cause,
  });
}

/** The failure that a run ended with: what the engine wrote, as one of our errors. */
export function engineFailure(texts: readonly string[], cause?: unknown): IkomaError {
  for (const text of texts) {
    const failure = pluginFailure(text, cause);
    if (failure !== undefined) return failure;
  }
  for (const { pattern, code, message, hint } of knownFailures) {
    const text = texts.find((each) => pattern.test(each));
    if (text !== undefined)
      return new IkomaError(code, message ?? headline(text), { ...(hint !== undefined && { hint }), cause });
  }
  const told = texts.map(headline).filter((text) => text !== "");
  return new IkomaError(
    "ENGINE_FAILED",
    told.length === 0 ? "The engine failed without saying why." : told.join("\n"),
    { cause },
  );
}

/** Without the engine's `error: ` in front. */
function headline(text: string): string {
  return text.replace(/^\s*error:\s*/, "").trim();
}
