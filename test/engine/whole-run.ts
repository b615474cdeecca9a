import { parseArgs } from "node:util";
import { runStack } from "../../src/core/engine/run-stack.ts";
import { agentAt, wholeApp } from "./programs.ts";

/** A first `up` of a whole app in a process of its own, to be killed at any moment; the agent is another process. */
const { values } = parseArgs({
  options: { workDir: { type: "string" }, socket: { type: "string" }, app: { type: "string" } },
});
await runStack({
  workDir: values.workDir ?? ".",
  stackName: "dev",
  operation: "up",
  program: () => Promise.resolve(wholeApp(values.app ?? "")),
  access: agentAt(values.socket ?? ""),
});
