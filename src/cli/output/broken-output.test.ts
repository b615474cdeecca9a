import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "@jest/globals";

const module = JSON.stringify(new URL("broken-output.ts", import.meta.url).href);

/** Starts a process that heeds broken output, then does this. */
function start(work: string, redirection = "") {
  const script = `import { heedBrokenOutput, outputWritten } from ${module};\nheedBrokenOutput();\n${work}\n`;
  const node = ["--input-type=module", "--eval", script];
  return spawn("/bin/sh", ["-c", `exec "$0" "$@" ${redirection}`, process.execPath, ...node]);
}

test("who stops reading what a command tells does not stop the command", async () => {
  const child = start(`
    process.stderr.write("begun\\n");
    process.stdin.resume().once("end", () => {
      process.stderr.write("more\\n");
      setImmediate(() => process.stdout.write("done\\n"));
    });`);
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (told += text));
  await once(child.stderr, "data");
  child.stderr.destroy();
  await once(child.stderr, "close");
  child.stdin.end();
  const [code] = (await once(child, "close")) as [number | null];
  expect({ code, told }).toEqual({ code: 0, told: "done\n" });
}, 30_000);

test("a result that the disk has no room for is a failure", async () => {
  const child = start(`process.stdout.write("result\\n"); await outputWritten(); process.exit(0);`, ">/dev/full");
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (told += text));
  const [code] = (await once(child, "close")) as [number | null];
  expect(code).toBe(1);
  expect(told).toContain("FILE_REFUSED ENOSPC");
}, 30_000);
