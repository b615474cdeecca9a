import { servePlugin } from "../../src/provider/plugin.ts";
import { fakeHosts } from "../doubles/agent.ts";
import { FileAgent } from "./file-agent.ts";

const agent = new FileAgent(process.env["FILE_AGENT"] ?? "");

/** The provider's plugin, its one host a {@link FileAgent}, which is at this machine's own address as well. */
await servePlugin(fakeHosts({ "10.0.0.1": agent, "127.0.0.1": agent }));
