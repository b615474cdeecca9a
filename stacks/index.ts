import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { bridgeStack } from "../src/core/config/bridge-names.ts";
import { IkomaError } from "../src/core/errors.ts";
import { bridge } from "./bridge.ts";
import { environment } from "./environment.ts";
import { hosts } from "./hosts.ts";

/**
 * Paths in the settings start from the project's folder, as with the CLI; the engine starts a program in the folder of
 * its main file.
 */
function enterProjectFolder(): void {
  let folder = process.cwd();
  while (!existsSync(join(folder, "Pulumi.yaml"))) {
    if (folder === dirname(folder)) return;
    folder = dirname(folder);
  }
  process.chdir(folder);
}

function programOf(stack: string): Promise<Record<string, unknown>> {
  if (stack === "hosts") return hosts();
  return stack === bridgeStack ? bridge() : environment();
}

/** Where plain `pulumi` starts. Sets up servers in the stack `hosts`, the Bridge itself in `bridge`; every other stack is an environment with apps. */
async function program(): Promise<Record<string, unknown>> {
  enterProjectFolder();
  try {
    return await programOf(pulumi.getStack());
  } catch (error) {
    if (!(error instanceof IkomaError)) throw error;
    throw new pulumi.RunError(`${error.code}: ${error.message}\n${error.hint}`);
  }
}

export default program;
