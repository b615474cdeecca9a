import { spawn } from "node:child_process";
import process from "node:process";

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Written to the command's standard input, which is then closed. */
  readonly stdin?: string;
  /** After this the command and its children are killed and the call fails. @default 120000 */
  readonly timeoutMs?: number;
  /** @default the environment of this process */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a command to its end; any exit code is a result. Fails when it cannot start or takes too long. */
export const runCommand = (
  file: string,
  args: readonly string[],
  { stdin = "", timeoutMs = 120_000, env }: CommandOptions = {},
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    // A process group of its own, so that a time-out reaches the grandchildren.
    const child = spawn(file, args, { detached: true, env: env ?? process.env });
    const output = { stdout: "", stderr: "" };
    const timer = setTimeout(() => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // All of the group have ended; whoever left it still has the output open.
      }
      reject(new Error(`${file} ${args.join(" ")}: not done after ${timeoutMs} ms\n${output.stderr}`));
    }, timeoutMs);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? (signal === null ? -1 : 128), ...output });
    });
    child.stdin.on("error", () => undefined); // a command may end without reading it
    child.stdin.end(stdin);
  });

/** Like {@link runCommand}, but an exit code other than 0 is an error that shows what the command said. */
export const runChecked = async (file: string, args: readonly string[], options?: CommandOptions): Promise<string> => {
  const { code, stdout, stderr } = await runCommand(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")}: exit code ${code}\n${stderr}${stdout}`);
  return stdout;
};
