import type { Argv } from "yargs";
import { isCi } from "../../ci.ts";
import { oneNumber, oneText, type GlobalArguments } from "../../global-options.ts";

/** What the commands that run the engine understand. */
export interface EngineArguments extends GlobalArguments {
  readonly "wait-for-lock": number;
  readonly "wait-for-host": number;
}

/** Time that CI waits for another deploy of the stack, or for a host, in seconds; on a terminal a person decides. */
const ciPatienceSeconds = 600;

/** Declares `--app`. */
export function withAppOption<T>(parser: Argv<T>): Argv<T & { app: string | undefined }> {
  return parser.option("app", { ...oneText, describe: "Only this app, where the stack has several" });
}

/** Declares `--bundle`. */
export function withBundleOption<T>(parser: Argv<T>): Argv<T & { bundle: string | undefined }> {
  const describe = "Release bundle: registry/name@sha256:…, a tag, or a file (default: the one that the stack pins)";
  return parser.option("bundle", { ...oneText, alias: "b", describe });
}

/** Declares `--wait-for-lock` and `--wait-for-host`. */
export function withEngineOptions<T>(parser: Argv<T>): Argv<T & { "wait-for-lock": number; "wait-for-host": number }> {
  const patience = {
    default: isCi() ? ciPatienceSeconds : 0,
    defaultDescription: `${ciPatienceSeconds} in CI, else 0`,
  } as const;
  return parser
    .option("wait-for-lock", {
      ...oneNumber("wait-for-lock", { least: 0 }),
      ...patience,
      describe: "Seconds to wait for another run of the stack, or deploy of the app",
    })
    .option("wait-for-host", {
      ...oneNumber("wait-for-host", { least: 0 }),
      ...patience,
      describe: "Seconds to wait for a host that is away, where it is reached through the API",
    });
}
