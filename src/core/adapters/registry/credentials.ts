import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import { withoutOwnSecrets } from "../../own-secrets.ts";
import { errorCode } from "../../system-error.ts";

/** How to log in to a registry: a password, or a token that is exchanged for others. */
export type Credentials = { username: string; password: string } | { identityToken: string };

const dockerConfig = z.looseObject({
  auths: z
    .record(z.string(), z.looseObject({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
  credsStore: z.string().optional(),
});
type DockerConfig = z.infer<typeof dockerConfig>;

const helperAnswer = z.looseObject({ Username: z.string(), Secret: z.string() });
const helperTimeoutMs = 10_000;
// Docker's own marker for "the secret is an identity token".
const tokenUser = "<token>";

/**
 * What `docker login` left for a registry in `$DOCKER_CONFIG/config.json` (default `~/.docker`): from the
 * credential helper that is set up for it, else from the file. Undefined when there is none.
 *
 * @throws IkomaError REGISTRY_AUTH when the file cannot be read as Docker's or the helper fails.
 */
export async function dockerCredentials(registry: string): Promise<Credentials | undefined> {
  const config = await readDockerConfig();
  for (const key of keysOf(registry)) {
    const helper = config.credHelpers?.[key] ?? config.credsStore;
    const found = (helper === undefined ? undefined : await askHelper(helper, key)) ?? fromAuths(config, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Docker Hub's entry is kept under the address of its first API. */
function keysOf(registry: string): string[] {
  if (registry === "docker.io") return ["https://index.docker.io/v1/", "docker.io"];
  return [registry, `https://${registry}`];
}

async function readDockerConfig(): Promise<DockerConfig> {
  const file = join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "config.json");
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    if (errorCode(cause) === "ENOENT") return "{}";
    throw new IkomaError("REGISTRY_AUTH", `${file} cannot be read.`, { cause });
  });
  try {
    return dockerConfig.parse(JSON.parse(text));
  } catch {
    // Without the cause: a parser's message may quote the file, which holds passwords.
    throw new IkomaError("REGISTRY_AUTH", `${file} is not a configuration file of Docker.`);
  }
}

function fromAuths(config: DockerConfig, key: string): Credentials | undefined {
  const entry = config.auths?.[key];
  if (entry?.identitytoken !== undefined && entry.identitytoken !== "") return { identityToken: entry.identitytoken };
  const [username, ...password] = Buffer.from(entry?.auth ?? "", "base64")
    .toString("utf8")
    .split(":");
  if (username === undefined || username === "") return undefined;
  return { username, password: password.join(":") };
}

/** Speaks the protocol of docker-credential-helpers: the key on stdin, JSON on stdout. */
async function askHelper(helper: string, key: string): Promise<Credentials | undefined> {
  const program = `docker-credential-${helper}`;
  const { code, stdout } = await run(program, key);
  if (code !== 0) {
    if (/credentials not found|missing credentials/i.test(stdout)) return undefined;
    throw new IkomaError("REGISTRY_AUTH", `${program} failed for ${key} (exit code ${code}).`);
  }
  const answer = parseAnswer(stdout);
  if (answer === undefined) throw new IkomaError("REGISTRY_AUTH", `${program} gave no credentials for ${key}.`);
  if (answer.Username === tokenUser) return { identityToken: answer.Secret };
  return { username: answer.Username, password: answer.Secret };
}

function parseAnswer(stdout: string): z.infer<typeof helperAnswer> | undefined {
  try {
    return helperAnswer.parse(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}

function run(program: string, input: string): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve, reject) => {
    // Not `timeout`: its timer stays when the program is missing, and keeps the process alive.
    const signal = AbortSignal.timeout(helperTimeoutMs);
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], env: withoutOwnSecrets(), signal });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
    child.on("error", (cause) => {
      reject(new IkomaError("REGISTRY_AUTH", `${program} cannot be run.`, { cause }));
    });
    child.on("close", (code) => {
      resolve({ code: code ?? 1, stdout });
    });
    // A helper that ends without reading closes the pipe: its exit code says it all.
    child.stdin.on("error", () => undefined);
    child.stdin.end(`${input}\n`);
  });
}
