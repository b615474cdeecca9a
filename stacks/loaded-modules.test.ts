import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "@jest/globals";
import { loadedIn, tellLoads } from "../test/rigs/loaded-modules.ts";

const root = join(import.meta.dirname, "..");

test.each(["src/provider/registry.ts", "stacks/index.ts"])(
  "what only a Supabase needs is not loaded with %s",
  async (file) => {
    const program = `await import(${JSON.stringify(join(root, file))})`;
    const args = [tellLoads, "--input-type=module", "--eval", program];
    const { stderr } = await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 });
    const own = loadedIn(stderr).filter((url) => !url.includes("/node_modules/"));
    expect(own.some((url) => url.endsWith(file))).toBe(true);
    expect(
      own.filter((url) => /ensure-supabase|\/cloud\.ts|supabase-http|-api\.ts$|unsafe-settings/.test(url)),
    ).toEqual([]);
  },
);
