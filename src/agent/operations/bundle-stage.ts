import { statfs } from "node:fs/promises";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import type { Host, OperationContext } from "../host.ts";
import type { OperationInput, OperationResult } from "../protocol/operations.ts";
import { admitStage, remarkSignature } from "./signed/admission.ts";
import { refuseIncompatible } from "./release/refuse-incompatible.ts";
import { refuseWithdrawn } from "./release/refuse-withdrawn.ts";

/** Below this much free space nothing new is brought onto the host, in bytes. */
const leastFreeBytes = 512 * 1024 * 1024;

const engineInfo = z.object({ Architecture: z.string(), DockerRootDir: z.string() });

/** Brings all images of a bundle onto the host and checks that they can run here; nothing is started or stopped. */
export async function stageBundle(
  host: Host,
  input: OperationInput<"bundle.stage">,
  op: OperationContext,
): Promise<OperationResult<"bundle.stage">> {
  refuseWithdrawn(host, input);
  refuseIncompatible(host, input);
  await admitStage(host, input);
  await remarkSignature(host, input, op);
  host.parts.set(input.app, "bundle", input);
  const info = await host.engine.json(engineInfo, { path: "/info" });
  const images = await Promise.all(input.images.map((reference) => stageImage(host, input.app, reference, info, op)));
  return { images };
}

async function stageImage(
  host: Host,
  app: string,
  reference: string,
  info: z.infer<typeof engineInfo>,
  op: OperationContext,
): Promise<OperationResult<"bundle.stage">["images"][number]> {
  let image = await host.images.inspect(reference);
  const pulled = image === undefined;
  if (image === undefined) {
    await requireSpace(host.paths.root);
    // Before it is there: a pull that a crash cuts off must not leave an image that nobody ever removes.
    host.imageUse.add(app, reference);
    op.step("pull", reference);
    await host.images.pull(reference, op.signal);
    image = await host.images.inspect(reference);
  }
  if (image === undefined)
    throw new IkomaError("IMAGE_PULL_FAILED", `The image ${reference} is not there after it was pulled.`);
  // One that somebody else brought here is theirs.
  if (host.imageUse.knows(reference)) host.imageUse.add(app, reference);
  const wanted = architecture(info.Architecture);
  if (image.Architecture !== wanted) {
    throw new IkomaError(
      "IMAGE_PLATFORM",
      `The image ${reference} is for ${image.Os}/${image.Architecture}, this host is linux/${wanted}.`,
    );
  }
  return { reference, id: image.Id, pulled };
}

async function requireSpace(path: string): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  const freeBytes = bavail * bsize;
  if (freeBytes >= leastFreeBytes) return;
  throw new IkomaError(
    "DISK_FULL",
    `The host has ${Math.round(freeBytes / 1024 / 1024)} MiB free; staging needs ${leastFreeBytes / 1024 / 1024} MiB.`,
  );
}

/** The engine names architectures as the kernel does, images as Go does. */
function architecture(kernelName: string): string {
  const names: Record<string, string> = { x86_64: "amd64", aarch64: "arm64", armv7l: "arm" };
  return names[kernelName] ?? kernelName;
}
