import { hostAccess } from "./host-access.ts";
import { servePlugin } from "./plugin.ts";

await servePlugin(hostAccess());
