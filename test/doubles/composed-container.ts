import { posix } from "node:path";
import type { Container, MountPoint } from "../../src/agent/engine/containers.ts";
import type { Image } from "../../src/agent/engine/images.ts";
import type { WantedContainer } from "../../src/agent/reading/container-drift.ts";

interface Definition {
  image: string;
  environment?: Record<string, string>;
  labels: Record<string, string>;
  command?: string[];
  entrypoint?: string[];
  user?: string;
  privileged?: boolean;
  restart: string;
  networks: { default: { ipv4_address: string; aliases: string[] } };
  volumes?: { type: string; source?: string; target: string; read_only?: boolean }[];
  ports?: { target: number; published?: string; protocol?: string; host_ip?: string }[];
}

/** A container as the engine describes one that compose made of this definition, of an image. */
export function aContainerOf({ service, volumes, network }: WantedContainer, image: Image): Container {
  const definition = service as unknown as Definition;
  const { default: endpoint } = definition.networks;
  return {
    Id: "id",
    Created: "",
    Name: "/shop-1-web-1",
    Image: image.Id,
    RestartCount: 0,
    State: { Status: "running", Running: true, Restarting: false, OOMKilled: false, ExitCode: 0, Error: "", Pid: 1 },
    Config: configOf(definition, image.Config ?? {}),
    HostConfig: {
      Memory: 0,
      Privileged: definition.privileged ?? false,
      RestartPolicy: { Name: definition.restart },
      PortBindings: Object.fromEntries(
        (definition.ports ?? []).map(({ target, published = "", protocol = "tcp", host_ip: HostIp = "" }) => [
          `${target}/${protocol}`,
          [{ HostIp, HostPort: published }],
        ]),
      ),
    },
    Mounts: (definition.volumes ?? []).map((mount) => mountPoint(mount, volumes)),
    NetworkSettings: { Networks: { [network]: { IPAddress: endpoint.ipv4_address, Aliases: endpoint.aliases } } },
  };
}

function configOf(definition: Definition, ofImage: NonNullable<Image["Config"]>): Container["Config"] {
  const { environment = {}, entrypoint } = definition;
  const isOwn = (each: string): boolean => Object.hasOwn(environment, each.split("=", 1)[0] ?? "");
  const imageCommand = entrypoint === undefined ? ofImage.Cmd : null;
  return {
    Image: definition.image,
    Env: [
      ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      ...(ofImage.Env ?? []).filter((each) => !isOwn(each)),
    ],
    Cmd: definition.command ?? imageCommand ?? null,
    Entrypoint: entrypoint ?? ofImage.Entrypoint ?? null,
    User: definition.user || ofImage.User || "",
    Labels: { ...definition.labels, "com.docker.compose.service": "web" },
  };
}

function mountPoint(
  { type, source, target, read_only: readOnly = false }: NonNullable<Definition["volumes"]>[number],
  volumes: WantedContainer["volumes"],
): MountPoint {
  const name = source === undefined ? "0123456789abcdef" : (volumes[source]?.name ?? source);
  const where =
    type === "volume" ? { Name: name, Source: `/volumes/${name}` } : { Name: "", Source: cleaned(source ?? "") };
  return { Type: type, ...where, Destination: cleaned(target), RW: !readOnly };
}

/** As the engine keeps paths. */
function cleaned(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/, "");
}
