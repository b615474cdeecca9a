// Secrets that are planted, and the looking for them.
export { distinct, plant, sightingsIn, type Canary, type Sighting } from "./canary.ts";
export { inspectContainers } from "./in-containers.ts";
export { sightingsInBlobs, sightingsInFiles, type Shell } from "./in-files.ts";
export { watchProcesses } from "./in-processes.ts";
export { startRegistryDoor, type RegistryDoor } from "./registry-door.ts";
