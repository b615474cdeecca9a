import { IkomaError } from "../errors.ts";
import { parseToken, type TokenKind } from "../link/api-token.ts";
import { readPrivateFile } from "../private-file.ts";

/**
 * A caller's token for the API: IKOMA_API_TOKEN, or the file that IKOMA_API_TOKEN_FILE names. Never from a command
 * line, which every user of the machine can read.
 *
 * @throws API_AUTH where there is none, or it has a typing error; CONFIG_INVALID for a file that others can read
 */
export async function readCallerToken(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const given = await givenToken("IKOMA_API_TOKEN", env);
  if (given === undefined)
    throw new IkomaError("API_AUTH", "This host is reached through the Bridge's API, and there is no token for it.");
  return requireToken(given.text, "caller", given.from);
}

/**
 * An administrator's token for the API: IKOMA_API_ADMIN_TOKEN, or the file that IKOMA_API_ADMIN_TOKEN_FILE names.
 *
 * @throws as {@link readCallerToken}
 */
export async function readAdminToken(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const given = await givenToken("IKOMA_API_ADMIN_TOKEN", env);
  if (given !== undefined) return requireToken(given.text, "admin", given.from);
  throw new IkomaError("API_AUTH", "Tokens are managed with an administrator's token, and there is none.", {
    hint: "Set IKOMA_API_ADMIN_TOKEN_FILE to a file with it; `ikoma api token admin` makes one.",
  });
}

async function givenToken(
  variable: string,
  { [variable]: given = "", [`${variable}_FILE`]: file = "" }: NodeJS.ProcessEnv,
): Promise<{ text: string; from: string } | undefined> {
  if (given !== "") return { text: given.trim(), from: variable };
  return file === "" ? undefined : { text: (await readTokenFile(file)).trim(), from: file };
}

/** The token of an agent, from a file, for its host. */
export async function readAgentToken(file: string): Promise<string> {
  return requireToken((await readTokenFile(file)).trim(), "agent", file);
}

const howToMake = { agent: "create --host NAME", caller: "create --caller", admin: "admin" } as const;

function requireToken(text: string, kind: TokenKind, from: string): string {
  const found = parseToken(text)?.kind;
  if (found === kind) return text;
  const flaw =
    found === undefined ? "what it has is no token, or has a typing error" : `it is one of the kind ${found}`;
  throw new IkomaError("API_AUTH", `${from} has no ${kind}'s token: ${flaw}.`, {
    hint: `Make one with \`ikoma api token ${howToMake[kind]}\`.`,
  });
}

function readTokenFile(path: string): Promise<string> {
  return readPrivateFile(path, "the token", "API_AUTH");
}
