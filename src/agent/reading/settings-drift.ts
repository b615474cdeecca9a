import * as z from "zod";
import type { Container } from "../engine/containers.ts";
import type { Image } from "../engine/images.ts";
import type { Drift } from "../protocol/views.ts";
import type { ComposedService } from "./container-drift.ts";

/** What a container runs as: command, account, power over the host, restart policy, published ports, labels. */
export function settingsDrift(service: ComposedService, container: Container, image: Image | undefined): Drift[] {
  return [
    ...commandDrift(service, container, image),
    ...accountDrift(service, container, image),
    ...restartDrift(service, container),
    ...portsDrift(service, container),
    ...labelsDrift(service, container),
  ];
}

const words = z
  .array(z.string())
  .nullish()
  .transform((given) => given ?? undefined);

/** A command may hold a secret, so neither side is told. One that is no list would need compose's own splitting. */
function commandDrift(service: ComposedService, { Config }: Container, image: Image | undefined): Drift[] {
  const entrypoint = words.safeParse(service["entrypoint"]);
  const command = words.safeParse(service["command"]);
  const isReset = entrypoint.data?.join("") === "" || command.data?.length === 0;
  if (!entrypoint.success || !command.success || isReset) return [];
  // The engine leaves the image's command out where an entrypoint is given.
  const ofImage = entrypoint.data === undefined ? imageWords(image, "Cmd") : [];
  return [
    ...wordsDrift("entrypoint", entrypoint.data ?? imageWords(image, "Entrypoint"), Config.Entrypoint),
    ...wordsDrift("command", command.data ?? ofImage, Config.Cmd),
  ];
}

/** Undefined where the image is not there to be asked. */
function imageWords(image: Image | undefined, field: "Cmd" | "Entrypoint"): string[] | undefined {
  return image === undefined ? undefined : (image.Config?.[field] ?? []);
}

function wordsDrift(path: string, wanted: string[] | undefined, found: string[] | null | undefined): Drift[] {
  if (wanted === undefined || JSON.stringify(wanted) === JSON.stringify(found ?? [])) return [];
  return [{ path, message: `the ${path} is another` }];
}

function accountDrift(service: ComposedService, container: Container, image: Image | undefined): Drift[] {
  const drift: Drift[] = [];
  // The engine takes an empty one (of a variable without a value) for none.
  const told = z.coerce
    .string()
    .catch("")
    .parse(service["user"] ?? "");
  const user = told === "" ? userOf(image) : told;
  const found = container.Config.User;
  if (user !== undefined && user !== found)
    drift.push({
      path: "user",
      message: `it runs as ${found || "root"}`,
      wanted: user || "root",
      found: found || "root",
    });
  const isPrivileged = container.HostConfig.Privileged;
  if (isPrivileged !== (service["privileged"] === true))
    drift.push({
      path: "privileged",
      message: isPrivileged ? "it has full power over the host" : "it lacks privileges",
    });
  return drift;
}

function userOf(image: Image | undefined): string | undefined {
  return image === undefined ? undefined : (image.Config?.User ?? "");
}

function restartDrift(service: ComposedService, { HostConfig }: Container): Drift[] {
  const wanted = service["restart"];
  const found = HostConfig.RestartPolicy.Name || "no";
  if (typeof wanted !== "string" || wanted === found) return [];
  return [{ path: "restart", message: `its restart policy is "${found}"`, wanted, found }];
}

const publishedPorts = z
  .array(
    z.object({
      target: z.coerce.string(),
      published: z.coerce.string().optional(),
      protocol: z.string().default("tcp"),
      host_ip: z.string().default(""),
    }),
  )
  .nullish();

/** As `127.0.0.1:5432->5432/tcp`. A port that the engine chose is not compared. */
function portsDrift(service: ComposedService, { HostConfig }: Container): Drift[] {
  const wanted = publishedPorts.safeParse(service["ports"]);
  if (!wanted.success) return [];
  const chosen = new Set<string>();
  const asked = (wanted.data ?? []).map(({ target, published = "", protocol, host_ip: address }) => {
    const container = `${target}/${protocol}`;
    if (!/^\d+$/.test(published)) chosen.add(container);
    return bindingText(container, address, published, chosen);
  });
  const found = Object.entries(HostConfig.PortBindings ?? {}).flatMap(([container, bindings]) =>
    (bindings ?? []).map(({ HostIp, HostPort }) => bindingText(container, HostIp, HostPort, chosen)),
  );
  const [wantedText, foundText] = [asked, found].map((each) => each.sort().join(", ") || "none");
  if (wantedText === foundText) return [];
  return [{ path: "ports", message: `it publishes ${foundText}`, wanted: wantedText, found: foundText }];
}

function bindingText(container: string, address: string, port: string, chosen: ReadonlySet<string>): string {
  const host = address === "0.0.0.0" || address === "::" ? "" : address;
  return `${host === "" ? "" : `${host}:`}${chosen.has(container) ? "*" : port}->${container}`;
}

/** Those that the agent finds its containers by, and those of the app. Values may hold a secret. */
function labelsDrift(service: ComposedService, { Config }: Container): Drift[] {
  const wanted = Object.entries((service["labels"] ?? {}) as Record<string, string>);
  return wanted
    .filter(([name, value]) => Config.Labels?.[name] !== value)
    .map(([name]) => ({ path: `labels[${JSON.stringify(name)}]`, message: `the label ${name} is missing or another` }));
}
