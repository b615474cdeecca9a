import * as z from "zod";
import type { Handshake } from "../../agent/protocol/views.ts";
import { protocolVersion } from "../../agent/protocol/wire.ts";
import { hostSetup } from "../../core/config/schema.ts";
import { IkomaError } from "../../core/errors.ts";
import type { Computed, ResourceCall, ResourceHandler } from "../resource-handler.ts";

export const agentInputs = hostSetup.extend({
  /** Version of the agent that is to run. */
  version: z.string().min(1),
});

/** The agent and the edge of a host. */
export const agent: ResourceHandler<typeof agentInputs> = {
  token: "ikoma:vps:Agent",
  inputs: agentInputs,
  identity: [],
  silent: [],

  async read(call, state) {
    const handshake = await handshakeOf(call);
    if (handshake === undefined) return { exists: false };
    const { agentVersion } = handshake;
    const asApplied = agentVersion === state.inputs.version;
    const drift = asApplied ? [] : [{ path: "version", message: `the host runs agent ${agentVersion}` }];
    return { exists: true, drift, computed: seen(handshake) };
  },

  create: async (call, inputs) => ({ id: call.host.name, computed: await install(call, inputs) }),
  update: (call, _state, inputs) => install(call, inputs),

  async delete(call) {
    const handshake = await handshakeOf(call);
    if (handshake === undefined) return;
    if (handshake.apps.length > 0) {
      throw new IkomaError(
        "USAGE",
        `The agent of ${call.host.name} stays: it still serves ${handshake.apps.join(", ")}.`,
        {
          hint: "Destroy the stacks of these apps first.",
        },
      );
    }
    await call.host.removeAgent();
  },
};

async function install(call: ResourceCall, inputs: z.infer<typeof agentInputs>): Promise<Computed> {
  let seq = 0;
  const setup = hostSetup.strip().parse(inputs);
  const onStep = (message: string): void => {
    seq += 1;
    call.onEvent({ seq, atMs: Date.now(), type: "step", name: "install", message });
  };
  await call.host.installAgent(setup, onStep);
  const handshake = await handshakeOf(call);
  if (handshake === undefined)
    throw new IkomaError("AGENT_MISSING", `The agent of ${call.host.name} was installed but does not answer.`);
  return seen(handshake);
}

/** Undefined where no agent is installed; a host that cannot be reached is an error. */
async function handshakeOf(call: ResourceCall): Promise<Handshake | undefined> {
  try {
    const agent = await call.host.agent();
    return await agent.call("handshake", { protocol: protocolVersion, client: "provider" });
  } catch (error) {
    if (error instanceof IkomaError && error.code === "AGENT_MISSING") return undefined;
    throw error;
  }
}

/** Free disk and clock are left out: they differ at each read and would look like a change. */
function seen(handshake: Handshake): Computed {
  const { agentVersion, engineVersion, composeVersion, edgeVersion } = handshake;
  return { agentVersion, engineVersion, composeVersion, edgeVersion };
}
