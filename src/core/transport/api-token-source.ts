import { IkomaError } from "../errors.ts";
import { parseToken } from "../link/api-token.ts";
import { readPrivateFile } from "../private-file.ts";

/**
 * A caller's token for the API: IKOMA_API_TOKEN, or the file that IKOMA_API_TOKEN_FILE names. Never from a command
 * line, which every user of the machine can read.
 *
 * @throws API_AUTH where there is none, or it has a typing error; CONFIG_INVALID for a file that others can read
 */
export async function readCallerToken(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { IKOMA_API_TOKEN: given = "", IKOMA_API_TOKEN_FILE: file = "" } = env;
  if (given === "" && file === "")
    throw new IkomaError("API_AUTH", "This host is reached through the Bridge's API, and there is no token for it.");
  const [text, from] = given === "" ? [await readTokenFile(file), file] : [given, "IKOMA_API_TOKEN"];
  return requireToken(text.trim(), "caller", from);
}

/** The token of an agent, from a file, for its host. */
export async function readAgentToken(file: string): Promise<string> {
  return requireToken((await readTokenFile(file)).trim(), "agent", file);
}

function requireToken(text: string, kind: "agent" | "caller", from: string): string {
  const found = parseToken(text)?.kind;
  if (found === kind) return text;
  const flaw =
    found === undefined ? "what it has is no token, or has a typing error" : `it is one of the kind ${found}`;
  throw new IkomaError("API_AUTH", `${from} has no ${kind}'s token: ${flaw}.`, {
    hint:
      kind === "agent"
        ? "Make one with `ikoma api token create --host NAME`."
        : "Make one with `ikoma api token create --caller`.",
  });
}

function readTokenFile(path: string): Promise<string> {
  return readPrivateFile(path, "the token", "API_AUTH");
}
