import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import { createGzip } from "node:zlib";
import { IkomaError } from "../errors.ts";
import { withoutOwnSecrets } from "../own-secrets.ts";
import { shellQuote } from "../transport/remote-script.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { hostLabel } from "../transport/ssh-errors.ts";
import { hostFolder, runStep } from "./host-commands.ts";

/** An image that a host is to have. */
export interface HostImage {
  readonly reference: string;
  /** From its registry; otherwise the one of this machine's engine is sent over SSH. */
  readonly pull: boolean;
}

const transferDeadlineMs = 15 * 60_000;

/** Equal for equal images, whichever way an engine stores them (an image's id depends on that). */
const contentFormat = "{{json .RootFS.Layers}} {{json .Config.Cmd}} {{json .Config.Env}}";

/** Brings the images to the host that it does not have already, in this very content. */
export async function bringImages(
  connection: SshConnection,
  images: readonly HostImage[],
  onStep: (message: string) => void,
): Promise<void> {
  for (const { reference } of images.filter((image) => image.pull)) await pullImage(connection, reference, onStep);
  const missing: string[] = [];
  for (const { reference } of images.filter((image) => !image.pull)) {
    const [local, remote] = await Promise.all([localContent(reference), remoteContent(connection, reference)]);
    if (local.content !== remote) {
      await requirePlatform(connection, reference, local.architecture);
      missing.push(reference);
    }
  }
  if (missing.length > 0) await sendImages(connection, missing, onStep);
}

async function pullImage(
  connection: SshConnection,
  reference: string,
  onStep: (message: string) => void,
): Promise<void> {
  // A digest says what it is; a tag may have moved.
  if (reference.includes("@sha256:") && (await remoteContent(connection, reference)) !== "") return;
  onStep(`pulling ${reference}`);
  await runStep(connection, {
    step: `pull ${reference}`,
    script: `if [ -r ${hostFolder}/docker/config.json ]; then exec docker --config ${hostFolder}/docker pull --quiet "$1"; fi
exec docker pull --quiet "$1"`,
    args: [reference],
    timeoutMs: transferDeadlineMs,
    code: "IMAGE_PULL_FAILED",
  });
}

async function remoteContent(connection: SshConnection, reference: string): Promise<string> {
  const script = `docker image inspect --format '${contentFormat}' "$1" 2>/dev/null || true`;
  return runStep(connection, { step: `look for ${reference}`, script, args: [reference] });
}

async function localContent(reference: string): Promise<{ content: string; architecture: string }> {
  const format = `{{.Architecture}} ${contentFormat}`;
  try {
    const { stdout } = await promisify(execFile)("docker", ["image", "inspect", "--format", format, reference], {
      env: withoutOwnSecrets(),
    });
    const [architecture = "", ...content] = stdout.trim().split(" ");
    return { architecture, content: content.join(" ") };
  } catch (cause) {
    throw new IkomaError(
      "IMAGE_NOT_FOUND",
      `The image ${reference} is not in this machine's Docker engine, and the host has no registry to pull it from.`,
      {
        hint: "Run scripts/build-images, or set `agentImage` and `edgeImage` of the host in the stack `hosts`.",
        cause,
      },
    );
  }
}

async function requirePlatform(connection: SshConnection, reference: string, architecture: string): Promise<void> {
  const script = "docker version --format '{{.Server.Arch}}'";
  const wanted = await runStep(connection, { step: "ask the engine for its platform", script });
  if (wanted === architecture) return;
  const message = `${hostLabel(connection.host)} runs ${wanted}; the image ${reference} of this machine is for ${architecture}.`;
  const hint = "Push images for the host's platform to a registry and set `agentImage` and `edgeImage` of the host.";
  throw new IkomaError("IMAGE_PLATFORM", message, { hint });
}

/** All in one go, so that layers that they share travel once. */
async function sendImages(
  connection: SshConnection,
  references: readonly string[],
  onStep: (message: string) => void,
): Promise<void> {
  onStep(`sending ${references.join(" and ")} over SSH`);
  const save = spawn("docker", ["save", ...references], {
    stdio: ["ignore", "pipe", "ignore"],
    env: withoutOwnSecrets(),
  });
  // Level 1: a third of the bytes at the speed of a fast line; higher levels are slower than the line.
  const packed = createGzip({ level: 1 });
  save.once("error", (error) => packed.destroy(error));
  save.once("close", (code) => {
    if (code !== 0)
      packed.destroy(
        new IkomaError(
          "IMAGE_NOT_FOUND",
          `\`docker save ${references.map(shellQuote).join(" ")}\` failed on this machine.`,
        ),
      );
  });
  try {
    await runStep(connection, {
      step: "load the images",
      script: "exec docker load --quiet",
      input: save.stdout.pipe(packed),
      timeoutMs: transferDeadlineMs,
    });
  } finally {
    save.kill();
  }
}
