import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import { ignoring } from "./containers.ts";
import type { EngineApi } from "./engine-api.ts";

const image = z.object({
  Id: z.string(),
  Architecture: z.string(),
  Os: z.string(),
  Size: z.number(),
  Config: z
    .object({
      Env: z.array(z.string()).nullable().optional(),
      Cmd: z.array(z.string()).nullable().optional(),
      Entrypoint: z.array(z.string()).nullable().optional(),
      User: z.string().optional(),
      Volumes: z.record(z.string(), z.unknown()).nullable().optional(),
    })
    .nullable()
    .optional(),
});
/** An image of the engine. */
export type Image = z.infer<typeof image>;

const history = z.array(z.object({ Created: z.number(), CreatedBy: z.string(), Size: z.number() }));
/** Bytes of each layer, by a name that images share where they share the layer. */
export type ImageLayers = ReadonlyMap<string, number>;

const pullProgress = z.object({ error: z.string().optional() });
const dockerConfig = z.object({ auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}) });

/** How long a pull may tell of no progress, in milliseconds. */
const silentPullMs = 5 * 60_000;

/** The images of the host. References are always by digest. */
export class Images {
  readonly #engine: EngineApi;
  readonly #dockerConfigPath: string;

  /** `dockerConfigPath`: the registry log-ins, in the form of `docker login`. */
  constructor(engine: EngineApi, dockerConfigPath: string) {
    this.#engine = engine;
    this.#dockerConfigPath = dockerConfigPath;
  }

  async inspect(reference: string): Promise<Image | undefined> {
    return this.#engine.find(image, `/images/${reference}/json`);
  }

  /**
   * What the image takes on disk; nothing when it is not there. The engine tells the sizes of layers only with the
   * image's history, in which all that is built on the same base begins alike.
   */
  async layers(reference: string): Promise<ImageLayers> {
    const entries = (await this.#engine.find(history, `/images/${reference}/history`)) ?? [];
    const layers = new Map<string, number>();
    let name = "";
    for (const { Created, CreatedBy, Size } of entries.toReversed()) {
      name = createHash("sha256").update(`${name} ${Created} ${Size} ${CreatedBy}`).digest("hex");
      if (Size > 0) layers.set(name, Size);
    }
    return layers;
  }

  /** Pulls by digest; the engine stops when `signal` is aborted. Throws IMAGE_PULL_FAILED with the engine's reason. */
  async pull(reference: string, signal?: AbortSignal): Promise<void> {
    const auth = await this.#authFor(reference);
    try {
      const progress = await this.#engine.stream({
        method: "POST",
        path: `/images/create?fromImage=${encodeURIComponent(reference)}`,
        headers: auth === undefined ? {} : { "x-registry-auth": auth },
        timeoutMs: silentPullMs,
        ...(signal !== undefined && { signal }),
      });
      await failOnProgressError(reference, progress);
    } catch (error) {
      if (error instanceof IkomaError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new IkomaError("IMAGE_PULL_FAILED", `The image ${reference} could not be pulled: ${reason}`, {
        cause: error,
      });
    }
  }

  /** Removes a reference; an image that a container uses, or that has other names, stays. */
  async remove(reference: string): Promise<void> {
    await ignoring([404, 409], () => this.#engine.raw({ method: "DELETE", path: `/images/${reference}` }));
  }

  async #authFor(reference: string): Promise<string | undefined> {
    let text: string;
    try {
      text = await readFile(this.#dockerConfigPath, "utf8");
    } catch {
      return undefined; // Nobody logged this host in: public images only.
    }
    const auths = logInsOf(text);
    const registry = registryOf(reference);
    const known = auths[registry] ?? auths[`https://${registry}`];
    if (known?.auth === undefined) return undefined;
    const [username = "", ...rest] = Buffer.from(known.auth, "base64").toString("utf8").split(":");
    const credentials = { username, password: rest.join(":"), serveraddress: registry };
    // With its padding, or the engine takes it for no log-in at all.
    return Buffer.from(JSON.stringify(credentials)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
  }
}

/** The registry of a reference; Docker Hub's old name where there is none, as `docker login` writes it. */
export function registryOf(reference: string): string {
  const [first = ""] = reference.split("/");
  const named = reference.includes("/") && (first.includes(".") || first.includes(":") || first === "localhost");
  return named ? first : "https://index.docker.io/v1/";
}

function logInsOf(text: string): z.infer<typeof dockerConfig>["auths"] {
  try {
    return dockerConfig.parse(JSON.parse(text)).auths;
  } catch {
    // Not the parser's own words: they quote the file.
    throw new IkomaError("REGISTRY_AUTH", "The host's file of registry log-ins (docker/config.json) cannot be read.");
  }
}

/** Reads the progress to its end, line by line: a long pull tells more than is worth keeping. */
async function failOnProgressError(reference: string, progress: Readable): Promise<void> {
  let pending = "";
  for await (const text of progress.setEncoding("utf8")) {
    const lines = (pending + String(text)).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) checkProgress(reference, line);
  }
  checkProgress(reference, pending);
}

function checkProgress(reference: string, line: string): void {
  if (line.trim() === "") return;
  const { error } = pullProgress.parse(JSON.parse(line));
  if (error !== undefined)
    throw new IkomaError("IMAGE_PULL_FAILED", `The image ${reference} could not be pulled: ${error}`);
}
