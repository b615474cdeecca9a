import { hostAccess } from "./hosts/host-access.ts";
import { servePlugin } from "./plugin.ts";

await servePlugin(hostAccess());
