import * as z from "zod";
import type { Container } from "../engine/containers.ts";
import type { Drift } from "../protocol/views.ts";
import type { WantedContainer } from "./container-drift.ts";

const endpoints = z.object({ default: z.object({ ipv4_address: z.string(), aliases: z.array(z.string()) }) });

/** Whether a container is found where the others look for it: network, address, name; and nowhere else. */
export function networkDrift(
  wanted: Pick<WantedContainer, "service" | "network" | "mayJoin">,
  container: Container,
): Drift[] {
  const path = "networks";
  const { Networks } = container.NetworkSettings;
  const { ipv4_address: address, aliases } = endpoints.parse(wanted.service["networks"]).default;
  const added = Object.keys(Networks)
    .filter((each) => each !== wanted.network && !wanted.mayJoin(each))
    .map((each) => ({ path, message: `the container was attached to the network ${each}`, found: each }));
  const endpoint = Networks[wanted.network];
  if (endpoint === undefined) {
    const message = `the container is not attached to its network ${wanted.network}`;
    return [{ path, message, wanted: wanted.network, found: "nothing" }, ...added];
  }
  const found = endpoint.IPAddress === "" ? endpoint.IPAMConfig?.IPv4Address : endpoint.IPAddress;
  const moved =
    found === undefined || found === address
      ? []
      : [{ path, message: `the container has the address ${found}`, wanted: address, found }];
  const lost = aliases.filter((each) => endpoint.Aliases?.includes(each) !== true);
  const unnamed = lost.map((each) => ({ path, message: `the container is not found as ${each}`, wanted: each }));
  return [...moved, ...unnamed, ...added];
}
