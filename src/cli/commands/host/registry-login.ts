import { text } from "node:stream/consumers";
import type { RegistryLogin } from "../../../core/hosts/host-registry-login.ts";
import { IkomaError } from "../../../core/errors.ts";

/** The part of the command line that says how a host logs in to a registry. */
export interface LoginArguments {
  readonly registry: string | undefined;
  readonly "registry-user": string | undefined;
  readonly "registry-password-stdin": boolean;
}

/**
 * The login that was asked for, its password read from standard input; undefined where none was.
 *
 * @throws USAGE where it is incomplete
 */
export async function readLogin(
  argv: LoginArguments,
  stdin: NodeJS.ReadableStream = process.stdin,
): Promise<RegistryLogin | undefined> {
  const { registry, "registry-user": user, "registry-password-stdin": hasPassword } = argv;
  if (registry === undefined && user === undefined && !hasPassword) return undefined;
  if (registry === undefined || user === undefined || !hasPassword) {
    const message = "A registry login needs --registry, --registry-user and --registry-password-stdin.";
    throw new IkomaError("USAGE", message, {
      hint: "Pipe the password or token into the command, as with `docker login`.",
    });
  }
  const password = (await text(stdin)).replace(/\r?\n$/, "");
  if (password === "") throw new IkomaError("USAGE", "--registry-password-stdin: nothing came on standard input.");
  return { registry, user, password };
}
