import { parseArgs } from "node:util";
import { runStack } from "../../src/core/engine/run-stack.ts";
import { FakeAgent, fakeHosts } from "../doubles/agent.ts";
import { releaseProgram } from "./programs.ts";

/**
 * An `up` in a process of its own, to be killed: its release never finishes. Prints "held" when the engine waits
 * for it.
 */
const { values } = parseArgs({
  options: { workDir: { type: "string" }, version: { type: "string" }, deployed: { type: "boolean" } },
});
const agent = new FakeAgent();
if (values.deployed === true)
  agent.parts.set("shop/release", { exists: true, generation: 1, drift: [], input: undefined, number: 1 });
agent.hold("release.apply");
await runStack({
  workDir: values.workDir ?? ".",
  stackName: "dev",
  operation: "up",
  program: () => Promise.resolve(releaseProgram(values.version ?? "v1")),
  access: fakeHosts({ "10.0.0.1": agent }),
  onProviderEvent: () => process.stdout.write("held\n"),
});
