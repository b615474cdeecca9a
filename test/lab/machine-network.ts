import { readFile, writeFile } from "node:fs/promises";
import { runChecked, runCommand } from "./run-command.ts";

/** Where a machine is connected: its own network namespace, one link to this host. */
export interface MachineNetwork {
  readonly name: string;
  /** N of 10.77.N.0/24: this host is .1, the machine is .2. */
  readonly subnet: number;
}

/** Marks the lab's firewall rules, so that they can be found after a crash. */
const ruleMark = (name: string): string => `ikoma-lab:${name}`;

export const namespaceOf = (name: string): string => `ikoma-lab-${name}`;
export const addressOf = (subnet: number): string => `10.77.${subnet}.2`;

const linkOf = (subnet: number): string => `ikoma-lab${subnet}`;

type Rule = readonly [table: string, chain: string, ...match: string[]];

const routingRules = ({ subnet }: MachineNetwork): Rule[] => [
  ["filter", "FORWARD", "-i", linkOf(subnet), "-j", "ACCEPT"],
  ["filter", "FORWARD", "-o", linkOf(subnet), "-j", "ACCEPT"],
  // Between the lab's machines and its registry addresses stay what they are.
  ["nat", "POSTROUTING", "-s", `10.77.${subnet}.0/24`, "!", "-d", "10.77.0.0/16", "-j", "MASQUERADE"],
];

// Dropped without a word, as by a broken line: the link stays up on both sides.
const cutRules = ({ subnet }: MachineNetwork): Rule[] => [
  ["raw", "PREROUTING", "-i", linkOf(subnet), "-j", "DROP"],
  ["mangle", "POSTROUTING", "-o", linkOf(subnet), "-j", "DROP"],
];

const changeRules = async (action: "-I" | "-D", name: string, rules: readonly Rule[]): Promise<void> => {
  for (const [table, chain, ...match] of rules) {
    const rule = [chain, ...match, "-m", "comment", "--comment", ruleMark(name)];
    const { code } = await runCommand("iptables", ["-w", "-t", table, "-C", ...rule]);
    if ((code === 0) === (action === "-D")) await runChecked("iptables", ["-w", "-t", table, action, ...rule]);
  }
};

const ensureForwarding = async (): Promise<void> => {
  const file = "/proc/sys/net/ipv4/ip_forward";
  if ((await readFile(file, "utf8")).trim() !== "1") await writeFile(file, "1");
};

// While the lab exists, its addresses lead nowhere but to its machines: packets
// to one without power must be lost here, not sent out by the default route.
// A more specific route to a living machine wins; on `lo` the rest is dropped.
const lostRoute = ["route", "replace", "10.77.0.0/16", "dev", "lo", "metric", "4096"];

/** Gives the lab's addresses back to the default route, when the last machine is gone. */
export const removeLostRoute = async (): Promise<void> => {
  await runCommand("ip", ["route", "del", ...lostRoute.slice(2)]);
};

/** Plugs the machine in: namespace, link, addresses, routes, and the host's part of the routing. */
export const connectNetwork = async (network: MachineNetwork): Promise<void> => {
  const { name, subnet } = network;
  const [link, namespace] = [linkOf(subnet), namespaceOf(name)];
  await ensureForwarding();
  await runChecked("ip", lostRoute);
  await runChecked("ip", ["netns", "add", namespace]);
  await runChecked("ip", ["-batch", "-"], {
    stdin: [
      `link add ${link} type veth peer name eth0 netns ${namespace}`,
      `addr add 10.77.${subnet}.1/24 dev ${link}`,
      `link set ${link} up`,
    ].join("\n"),
  });
  await runChecked("ip", ["-n", namespace, "-batch", "-"], {
    stdin: [
      "link set lo up",
      `addr add ${addressOf(subnet)}/24 dev eth0`,
      "link set eth0 up",
      `route add default via 10.77.${subnet}.1`,
    ].join("\n"),
  });
  await changeRules("-I", name, routingRules(network));
};

/** Takes the machine's link and namespace away, as a power loss does; the firewall rules stay. */
export const unplugNetwork = async ({ name, subnet }: MachineNetwork): Promise<void> => {
  // Deleting the link waits for its end; deleting the namespace alone does not.
  await runCommand("ip", ["link", "del", linkOf(subnet)]);
  await runCommand("ip", ["netns", "del", namespaceOf(name)]);
};

/** Removes all that {@link connectNetwork} and {@link cutNetwork} made. Nothing there is not an error. */
export const removeNetwork = async (network: MachineNetwork): Promise<void> => {
  await unplugNetwork(network);
  await changeRules("-D", network.name, [...routingRules(network), ...cutRules(network)]);
};

/** From now on no packet reaches or leaves the machine; open connections hang, as on a broken line. */
export const cutNetwork = (network: MachineNetwork): Promise<void> =>
  changeRules("-I", network.name, cutRules(network));

export const restoreNetwork = (network: MachineNetwork): Promise<void> =>
  changeRules("-D", network.name, cutRules(network));

/** Removes namespaces and firewall rules of lab machines other than those named. */
export const removeStrayNetworks = async (existing: ReadonlySet<string>): Promise<void> => {
  const namespaces = (await runChecked("ip", ["netns", "list"])).split("\n").map((line) => line.split(" ")[0] ?? "");
  for (const namespace of namespaces.filter((name) => name.startsWith(namespaceOf("")))) {
    if (!existing.has(namespace.slice(namespaceOf("").length))) await runChecked("ip", ["netns", "del", namespace]);
  }
  for (const table of ["filter", "nat", "raw", "mangle"]) {
    const rules = (await runChecked("iptables", ["-w", "-t", table, "-S"])).split("\n");
    for (const rule of rules) {
      const words = rule.replaceAll('"', "").split(" ");
      const name = words.find((word) => word.startsWith(ruleMark("")))?.slice(ruleMark("").length);
      if (name === undefined || existing.has(name)) continue;
      await runChecked("iptables", ["-w", "-t", table, "-D", ...words.slice(1)]);
    }
  }
};
