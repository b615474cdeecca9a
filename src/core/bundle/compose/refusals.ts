import type { ComposeModel, ComposeService } from "./compose-model.ts";
import type { Findings } from "./findings.ts";

/** A setting of a service that cannot be kept, and why. */
interface Refusal {
  setting: string;
  reason: string;
}

const everywhere: readonly Refusal[] = [
  {
    setting: "network_mode",
    reason: "a service joins only the network of its release. Remove it; services reach each other by name.",
  },
  {
    setting: "external_links",
    reason: "containers outside this file cannot be reached by name. Use an address in `environment`.",
  },
  { setting: "volumes_from", reason: "name the volumes under `volumes` instead." },
  { setting: "label_file", reason: "the host does not have the file. Write the labels under `labels`." },
  { setting: "credential_spec", reason: "it is for Windows containers only." },
  { setting: "provider", reason: "services of other providers than Docker are not supported." },
  { setting: "models", reason: "models are not supported." },
];

/** Two releases run side by side for a moment. */
const releaseOnly: readonly Refusal[] = [
  {
    setting: "container_name",
    reason: "the old and the new release run side by side, and a name can be taken only once. Remove it.",
  },
  { setting: "mac_address", reason: "the old and the new release run side by side. Remove it." },
];

const dangerous: readonly { setting: string; value: unknown; message: string }[] = [
  { setting: "privileged", value: true, message: "it has full power over the host." },
  { setting: "pid", value: "host", message: "it sees and can signal all processes of the host." },
  { setting: "ipc", value: "host", message: "it shares memory with all processes of the host." },
  { setting: "userns_mode", value: "host", message: "its root is the host's root." },
  { setting: "use_api_socket", value: true, message: "it has full power over the host's containers." },
];

/** Refuses and warns of what cannot be kept as it is, setting by setting. */
export function checkSettings(path: string, service: ComposeService, inRelease: boolean, findings: Findings): void {
  for (const { setting, reason } of inRelease ? [...everywhere, ...releaseOnly] : everywhere) {
    if (isSet(service[setting])) findings.refuse(`${path}.${setting}`, reason);
  }
  for (const { setting, value, message } of dangerous) {
    if (service[setting] === value) findings.warn(`${path}.${setting}`, message);
  }
  const alias = service.links?.find((link) => link.includes(":"));
  if (alias !== undefined) {
    findings.refuse(
      `${path}.links`,
      `${alias}: services reach each other by their own names only. Use the name, without an alias.`,
    );
  }
  if (!inRelease && isSet(service.container_name))
    findings.warn(`${path}.container_name`, "it is left out; the agent names containers.");
}

/**
 * Services join only their own network. Plain networks of the file all become that one; what says more than
 * "can reach each other" is refused.
 */
export function checkNetworks(path: string, service: ComposeService, model: ComposeModel, findings: Findings): void {
  const joined = service.networks ?? {};
  const settings: Record<string, unknown> = Array.isArray(joined)
    ? Object.fromEntries(joined.map((name) => [name, null]))
    : joined;
  // Without a word a service joins `default`, which the file may declare to be external.
  const names = Object.keys(settings).length === 0 ? ["default"] : Object.keys(settings);
  for (const name of names) {
    if (isSet(model.networks[name]?.external)) {
      findings.refuse(
        `networks.${name}`,
        "an app cannot join an external network: names of other apps would mix with its own. Remove it.",
      );
    } else if (name !== "default" && !Object.hasOwn(model.networks, name)) {
      findings.refuse(`${path}.networks`, `the network ${name} is not declared under \`networks:\`.`);
    }
    const kept = settings[name];
    const details =
      typeof kept === "object" && kept !== null ? Object.keys(kept).filter((key) => key !== "aliases") : [];
    if (details.length > 0) {
      findings.refuse(
        `${path}.networks.${name}`,
        `${details.join(", ")} cannot be kept: the agent gives out addresses.`,
      );
    }
  }
}

/** Warns once that several networks of the file become one. */
export function checkSeparation(
  services: Readonly<Record<string, ComposeService>>,
  model: ComposeModel,
  findings: Findings,
): void {
  const internal = Object.entries(model.networks).find(([, network]) => network?.internal === true);
  const joined = new Set(
    Object.values(services).flatMap(({ networks }) =>
      Array.isArray(networks) ? networks : Object.keys(networks ?? { default: null }),
    ),
  );
  if (joined.size > 1)
    findings.warn(
      "networks",
      `${[...joined].sort().join(", ")} become one network: all services of a release reach each other.`,
    );
  if (internal !== undefined)
    findings.warn(`networks.${internal[0]}`, "`internal` is not kept: its services can reach the internet.");
}

function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false;
  return Array.isArray(value) ? value.length > 0 : true;
}
