import { servePlugin } from "../../src/provider/plugin.ts";
import { fakeHosts } from "../doubles/agent.ts";
import { FileAgent } from "./file-agent.ts";

/** The provider's plugin, its one host a {@link FileAgent}. */
await servePlugin(fakeHosts({ "10.0.0.1": new FileAgent(process.env["FILE_AGENT"] ?? "") }));
