import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import { withoutOwnSecrets } from "../../own-secrets.ts";
import { errorCode } from "../../system-error.ts";

/** What is built, and with what. */
export interface ImageBuild {
  /** Folder of the project: the build's context. */
  readonly folder: string;
  /** Taken in place of those of the folder. */
  readonly files: { readonly dockerfile: string; readonly dockerignore: string };
  readonly tag: string;
  readonly push: boolean;
  readonly platform: string | undefined;
  /** Public values. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Id → file on this machine; never in a layer. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Ends the build when it is aborted, with its reason. */
  readonly signal: AbortSignal;
}

/** Lines of the build that are kept for a failure. */
const keptLines = 40;

const metadata = z.looseObject({
  "containerimage.digest": z.string().regex(/^sha256:[0-9a-f]{64}$/),
  "containerimage.config.digest": z.string().optional(),
});

/**
 * Builds an image with `docker buildx build`. The Dockerfile stands in a folder of its own meanwhile: nothing is
 * written into the project's.
 *
 * @returns the digest that it was pushed with; undefined where it was not
 * @throws BUILDX_MISSING, BUILD_REFUSED where one of the Dockerfile's own checks refused, BUILD_FAILED
 */
export async function buildImage(build: ImageBuild, onStep: (step: string) => void): Promise<string | undefined> {
  const scratch = await mkdtemp(join(tmpdir(), "ikoma-build-"));
  try {
    const path = join(scratch, "Dockerfile");
    const metadataPath = join(scratch, "metadata.json");
    await writeFile(path, build.files.dockerfile);
    // BuildKit takes the list beside the Dockerfile before the one of the context.
    await writeFile(`${path}.dockerignore`, build.files.dockerignore);
    await run(build, ["--file", path, "--metadata-file", metadataPath], onStep);
    return build.push ? await pushedDigest(metadataPath) : undefined;
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function run(build: ImageBuild, files: readonly string[], onStep: (step: string) => void): Promise<void> {
  const { folder, tag, push, platform, buildArgs, secrets } = build;
  const args = [
    ...["buildx", "build", "--progress", "plain", "--tag", tag, push ? "--push" : "--load", ...files],
    ...(platform === undefined ? [] : ["--platform", platform]),
    // By name: the values are in the environment.
    ...Object.keys(buildArgs).flatMap((name) => ["--build-arg", name]),
    ...Object.entries(secrets).flatMap(([id, path]) => ["--secret", `id=${id},src=${path}`]),
    folder,
  ];
  const lines: string[] = [];
  const code = await follow(args, build, (line) => {
    const step = /^#\d+ \[(?!internal)([^\]]+)\] (\S+ .*)$/.exec(line);
    // Those that write a file say little in their first words.
    if (step !== null && step[2]?.startsWith("RUN printf") !== true)
      onStep(`${step[1]?.trim()}: ${(step[2] ?? "").slice(0, 100)}`);
    lines.push(line);
  });
  build.signal.throwIfAborted();
  if (code !== 0) throw failure(lines);
}

function follow(
  args: readonly string[],
  { buildArgs, signal }: ImageBuild,
  onLine: (line: string) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const env = { ...withoutOwnSecrets(), ...buildArgs };
    const child = spawn("docker", args, { env, signal, stdio: ["ignore", "ignore", "pipe"] });
    child.once("error", (error) => {
      // Of one that was told to end, the end is waited for: it still uses the files.
      if (signal.aborted && child.pid !== undefined) return;
      reject(errorCode(error) === "ENOENT" ? missing("The command `docker` was not found.") : error);
    });
    createInterface({ input: child.stderr }).on("line", onLine);
    child.once("close", (code) => {
      resolve(code ?? -1);
    });
  });
}

/** What the push itself says: the tag may have another image by now, or a mirror may not have this one yet. */
async function pushedDigest(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "{}");
  const { data } = metadata.safeParse(JSON.parse(text));
  const digest = data?.["containerimage.digest"];
  // An engine that does not know what the registry made of it says the image's id.
  if (digest === undefined || digest === data?.["containerimage.config.digest"]) {
    throw new IkomaError("BUILD_FAILED", "The image was pushed, but buildx does not say with which digest.", {
      hint: "Update docker and docker-buildx-plugin, or name the image by its tag.",
    });
  }
  return digest;
}

function failure(lines: readonly string[]): IkomaError {
  const hasBegun = lines.some((line) => line.startsWith("#"));
  if (!hasBegun && /is not a docker command|unknown (command|flag|shorthand)/.test(lines.join("\n"))) {
    return missing("`docker buildx` is not there.");
  }
  const refused = [...new Set(lines.flatMap((line) => /^#\d+ [\d.]+ ikoma: (.+)$/.exec(line)?.[1] ?? []))];
  if (refused.length > 0) {
    return new IkomaError("BUILD_REFUSED", `The image was not made: ${refused.join("; ")}.`, { details: { refused } });
  }
  const said = lines.filter((line) => /^#\d+ [\d.]+ /.test(line)).map((line) => line.replace(/^#\d+ [\d.]+ /, ""));
  const last = (said.length === 0 ? lines : said).slice(-keptLines);
  return new IkomaError("BUILD_FAILED", `The image could not be built: ${reasonOf(last)}`, { details: { log: last } });
}

/** The line that says why, among those that only say where. */
function reasonOf(lines: readonly string[]): string {
  const telling = lines.findLast(
    (line) => /\b(error|ERR!|ERESOLVE|failed|not found)\b/i.test(line) && !/\.log$/.test(line),
  );
  return telling?.trim() ?? lines.at(-1)?.trim() ?? "it said nothing.";
}

function missing(message: string): IkomaError {
  return new IkomaError("BUILDX_MISSING", message);
}
