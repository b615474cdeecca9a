import { destroyLeftovers, pushToRegistry, startRegistry, type LabRegistry } from "../lab/index.ts";
import { buildAgentImages } from "./fixture/agent-images.ts";
import { runBuild, setBuilt } from "./fixture/build.ts";

/** Once for all files of a run: what they test is built, and the registry that their machines pull from is there. */
export default async function setUp(): Promise<void> {
  await destroyLeftovers();
  await runBuild("cli", "provider", "program");
  const version = await buildAgentImages();
  globalThis.labRegistry = await startRegistry();
  for (const image of [`ikoma/agent:${version}`, `ikoma/edge:${version}`]) await pushToRegistry(image, image);
  setBuilt();
}

declare global {
  /** For the teardown, which Jest hands nothing else on to. */
  var labRegistry: LabRegistry | undefined;
}
