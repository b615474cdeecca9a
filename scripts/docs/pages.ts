import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type * as z from "zod";
import { appExtension, serviceExtension } from "../../src/core/bundle/compose/extension.ts";
import { stackSettings } from "../../src/core/config/schema.ts";
import { driftExitCode, errorTable } from "../../src/core/errors.ts";
import { benchmarkReport } from "../../test/bench/report/benchmark-report.ts";
import { benchmarksDocument } from "../../test/bench/report/benchmarks-document.ts";
import { commandReference } from "./command-reference.ts";
import { jsonSchemaOf, stackFileSchema, type JsonSchema } from "./json-schema.ts";
import { settingsTable, valueOf } from "./settings-table.ts";

const origin = "<!-- Made by `node scripts/generate-docs.ts`; do not edit. -->";

const measurements = join(import.meta.dirname, "../../docs/benchmarks.json");

/** Every page that is made from the code, or from measurements: its text, by its path in the repository. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["docs/errors.md", errorsPage()],
    ["docs/reference/configuration.md", configurationPage()],
    ["docs/reference/stack-config.schema.json", `${JSON.stringify(stackFileSchema(), null, 2)}\n`],
    ["docs/reference/compose-extension.md", composeExtensionPage()],
    ["docs/reference/cli.md", await cliPage()],
    ["docs/benchmarks.md", await benchmarksPage()],
  ]);
}

const exitCodeMeanings: Readonly<Record<number, string>> = {
  0: "all went well",
  1: "error",
  2: "wrong command line, configuration, compose file or bundle",
  3: "authentication",
  4: "a resource or a host failed",
  6: "stack not found",
  7: "`ikoma drift`: something differs from what was applied, or a host could not be read; no failure",
  8: "cancelled",
  9: "time-out",
  10: "the release failed its checks; the one before it serves",
  255: "defect of the program",
};

function errorsPage(): string {
  const codes = Object.entries(errorTable).sort(([a], [b]) => a.localeCompare(b));
  const used = new Set<number>([0, driftExitCode, ...codes.map(([, { exitCode }]) => exitCode)]);
  const exitCodes = Object.entries(exitCodeMeanings).filter(([code]) => used.has(Number(code)));
  return page(
    "Errors",
    `Every failure has a code. People get it on standard error with what happened, why, and the next step; with \`--json\` standard output is one envelope \`{apiVersion, kind: "Error", error: {code, message, hint, details}}\`. What a message's own hint says is more exact than the step here.

\`details\` of \`RELEASE_CRASHED\`, \`RELEASE_UNHEALTHY\`, \`RELEASE_SMOKE_FAILED\` and \`ACCESSORY_FAILED\` hold what was seen: \`service\`, \`cause\`, \`causes\`, \`exitCode\`, \`outOfMemory\`, \`memoryLimitBytes\`, \`probe\`, \`listening\`, \`emptyVariables\`, \`log\`, \`serving\`.

## Exit codes

| exit code | |
|---|---|
${exitCodes.map(([code, meaning]) => `| ${code} | ${meaning} |`).join("\n")}

## Codes

| code | exit | what it means | what to do |
|---|---|---|---|
${codes.map(([code, { exitCode, meaning, hint }]) => `| \`${code}\` | ${exitCode} | ${meaning} | ${hint} |`).join("\n")}`,
  );
}

function configurationPage(): string {
  const { properties = {} } = jsonSchemaOf(stackSettings);
  const { apps = {}, bridge = {} } = properties;
  const shown = { ...properties, bridge: withoutSettingsOf(valueOf(apps), bridge) };
  const sections = Object.entries(shown).map(([key, schema]) => settingSection(`ikoma:${key}`, schema));
  return page(
    "Configuration",
    `The settings of \`Pulumi.<stack>.yaml\`, under \`config:\`. An unknown one is refused by its path, with the nearest name. \`ikoma config explain\` shows what is in force, and where each value comes from.

Editors complete and check the file with [stack-config.schema.json](stack-config.schema.json): put \`# yaml-language-server: $schema=PATH_OR_URL\` in its first line.

${sections.join("\n\n")}`,
  );
}

/** The Bridge is an app: what any app may say, and need not, stands there alone. */
function withoutSettingsOf(app: JsonSchema, { properties = {}, description = "", ...bridge }: JsonSchema): JsonSchema {
  const isOwn = ([key, schema]: [string, JsonSchema]): boolean =>
    bridge.required?.includes(key) === true || !isDeepStrictEqual(schema, app.properties?.[key]);
  return {
    ...bridge,
    description: `${description} Those that are the same are not repeated below.`,
    properties: Object.fromEntries(Object.entries(properties).filter(isOwn)),
  };
}

function settingSection(key: string, schema: JsonSchema): string {
  const inner = typeof schema.additionalProperties === "object" ? schema.additionalProperties : schema;
  const isTable = [inner, ...(inner.anyOf ?? [])].some(({ properties: own }) => own !== undefined);
  const table = isTable ? `\n\n${settingsTable(inner)}` : "";
  const fallback = schema.default === undefined ? "" : ` Default: \`${JSON.stringify(schema.default)}\`.`;
  return `## \`${key}\`\n\n${schema.description ?? ""}${fallback}${table}`;
}

function composeExtensionPage(): string {
  const table = (schema: z.ZodType): string => settingsTable(jsonSchemaOf(schema));
  return page(
    "`x-ikoma` in a compose file",
    `An ordinary compose file needs none of this; \`ikoma bundle inspect\` shows what was made of it, and why.

## On a service

${table(serviceExtension)}

## At the top of the file

${table(appExtension)}`,
  );
}

async function cliPage(): Promise<string> {
  const commands = await commandReference();
  const sections = commands.map(({ words, help }) => `## \`${words}\`\n\n\`\`\`text\n${help}\n\`\`\``);
  const completion = `## \`ikoma completion\`\n\nPrints a completion script for the shell, to be sourced from its start file (\`~/.bashrc\`, \`~/.zshrc\`).`;
  return page(
    "Command line",
    `Results go to standard output, all talk to standard error. [errors.md](../errors.md) has the exit codes.\n\n${[...sections, completion].join("\n\n")}`,
  );
}

/** Of measurements that are committed: this page changes with them, not with the code that is measured. */
async function benchmarksPage(): Promise<string> {
  const report = benchmarkReport.parse(JSON.parse(await readFile(measurements, "utf8")));
  return page("Benchmarks", benchmarksDocument(report));
}

function page(title: string, body: string): string {
  return `${origin}\n\n# ${title}\n\n${body}\n`;
}
