import { basename } from "node:path";
import type { HostWay } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import { findHost, readHostFiles } from "./host-files.ts";

/**
 * The host whose leftovers of an app are meant: the one that is named, or the only one that the stack's file knows.
 *
 * @throws APP_IN_USE while a stack of the folder still has the app on that host, USAGE where a host must be named
 */
export async function findPurgeHost(
  folder: string,
  stack: string | undefined,
  app: string,
  named: string | undefined,
): Promise<{ name: string; host: HostWay }> {
  const all = await readHostFiles(folder);
  const files = stack === undefined ? all : all.filter((file) => file.stack === stack);
  const known = [...new Set(files.flatMap((file) => Object.keys(file.hosts)))];
  const [only, ...others] = named === undefined ? known : [named];
  if (only === undefined || others.length > 0) {
    const hint = known.length === 0 ? "No stack's file knows a host." : `Name it with --host: ${known.join(", ")}.`;
    throw new IkomaError("USAGE", `On which host was ${app}?`, { hint });
  }
  const using = all.find((file) => file.appHosts[app] === only);
  if (using !== undefined)
    throw new IkomaError("APP_IN_USE", `${app} is configured on ${only} still, in ${basename(using.path)}.`);
  return { name: only, host: findHost(files, only).host };
}
