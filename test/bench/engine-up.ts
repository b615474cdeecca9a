import { parseArgs } from "node:util";
import { fakeHosts } from "../doubles/agent.ts";
import { FileAgent } from "../engine/file-agent.ts";

/** One `up` in a process of its own, for `engine.ts`: by the runner, or by the plain Automation API. */
const { values } = parseArgs({
  options: {
    way: { type: "string" },
    workDir: { type: "string", default: "." },
    version: { type: "string", default: "v1" },
    agent: { type: "string", default: "" },
  },
});
const access = fakeHosts({ "10.0.0.1": new FileAgent(values.agent) });
const load = async () => (await import("../engine/programs.ts")).releaseProgram(values.version);

if (values.way === "plain") {
  const { upByAutomationApi } = await import("../engine/automation-api.ts");
  const env = {
    PULUMI_BACKEND_URL: process.env["PULUMI_BACKEND_URL"] ?? "",
    PULUMI_CONFIG_PASSPHRASE: process.env["PULUMI_CONFIG_PASSPHRASE"] ?? "",
  };
  await upByAutomationApi({ workDir: values.workDir, stackName: "dev", env, access, program: await load() });
} else {
  const { runStack } = await import("../../src/core/engine/run-stack.ts");
  await runStack({ workDir: values.workDir, stackName: "dev", operation: "up", program: load, access });
}
