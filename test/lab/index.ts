// The lab, as tests use it. See README.md.
export { destroyLeftovers } from "./leftovers.ts";
export { startRegistry, type LabRegistry } from "./registry.ts";
export { pushToRegistry } from "./registry-push.ts";
export { createVps, openVps, type Vps } from "./vps.ts";
