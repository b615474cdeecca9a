import "./global-setup.ts";

/** Ends the registry, with all that the run has pushed. */
export default async function tearDown(): Promise<void> {
  await globalThis.labRegistry?.stop();
}
