import * as pulumi from "@pulumi/pulumi";
import { IkomaError } from "../src/core/errors.ts";
import { environment } from "./environment.ts";
import { hosts } from "./hosts.ts";

/**
 * Where plain `pulumi` starts. The stack named `hosts` sets up servers; every other stack is an environment with apps.
 */
async function program(): Promise<Record<string, unknown>> {
  try {
    return pulumi.getStack() === "hosts" ? hosts() : await environment();
  } catch (error) {
    if (!(error instanceof IkomaError)) throw error;
    throw new pulumi.RunError(`${error.code}: ${error.message}\n${error.hint}`);
  }
}

export default program;
