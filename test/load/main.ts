import { writeFile } from "node:fs/promises";
import { parseCommandLine, USAGE } from "./command-line.ts";
import { parentMessageSchema } from "./control-messages.ts";
import type { ChildMessage, ParentMessage } from "./control-messages.ts";
import { LoadSession } from "./load-session.ts";

if (process.argv[2] === "--controlled") obeyParent();
else await runByHand(process.argv.slice(2));

/** Does what the messages of the parent say; without the parent there is nobody to report to. */
function obeyParent(): void {
  let session: LoadSession | undefined;

  const answer = async (message: ParentMessage): Promise<ChildMessage> => {
    if (message.type === "start") {
      if (session) throw new Error("started already");
      session = new LoadSession(message.streams);
      return { type: "started" };
    }
    if (!session) throw new Error("not started");
    if (message.type === "mark") return { type: "marked", atMs: session.mark(message.label) };
    return { type: "report", report: await session.stop(message.allowed) };
  };

  process.on("disconnect", () => process.exit(0));
  const reply = async (raw: unknown): Promise<void> => {
    let message: ChildMessage;
    try {
      message = await answer(parentMessageSchema.parse(raw));
    } catch (error) {
      message = { type: "error", message: String(error) };
    }
    process.send?.(message);
  };
  process.on("message", (raw) => void reply(raw));
}

async function runByHand(args: string[]): Promise<void> {
  let command;
  try {
    command = parseCommandLine(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}\n`);
    process.exitCode = 2;
    return;
  }
  const session = new LoadSession([command.stream]);
  const signalled = new Promise((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  await Promise.race([session.finished(), signalled]);
  const text = `${JSON.stringify(await session.stop(), undefined, 2)}\n`;
  if (command.out === undefined) process.stdout.write(text);
  else await writeFile(command.out, text);
}
