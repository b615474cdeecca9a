// Secrets that are planted, and the looking for them.
export { distinct, sightingsIn, type Sighting } from "./canary.ts";
export { inspectContainers } from "./in-containers.ts";
export { sightingsInBlobs, sightingsInFiles, type Shell } from "./in-files.ts";
export { watchProcesses } from "./in-processes.ts";
export { allowed, canaries, compose } from "./planted.ts";
export { startRegistryDoor, type RegistryDoor } from "./registry-door.ts";
