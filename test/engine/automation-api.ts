import { LocalWorkspace } from "@pulumi/pulumi/automation/index.js";
import type { Program } from "../../src/core/engine/language-server.ts";
import type { HostAccess } from "../../src/provider/hosts/agent-access.ts";
import { addProvider, createEngineServer, listen } from "../../src/provider/server.ts";
import { providerVersion } from "../../src/provider/version.ts";

interface PlainUp {
  workDir: string;
  stackName: string;
  env: Record<string, string>;
  access: HostAccess;
  program: Program;
}

/** The same `up` by the public Automation API: what the runner is measured and compared with, and its fall-back. */
export async function upByAutomationApi({ workDir, stackName, env, access, program }: PlainUp): Promise<void> {
  const server = createEngineServer();
  const session = addProvider(server, { access, version: providerVersion });
  const port = await listen(server);
  const envVars = { ...env, PULUMI_DEBUG_PROVIDERS: `ikoma:${port}`, PULUMI_SKIP_UPDATE_CHECK: "true" };
  try {
    // The project's name is read from Pulumi.yaml only by the CLI; this API wants it said again.
    const stack = await LocalWorkspace.createOrSelectStack(
      { stackName, projectName: "engine-test", program },
      { workDir, envVars },
    );
    await stack.up({ onEvent: () => undefined });
  } finally {
    await session.close();
    server.forceShutdown();
  }
}
