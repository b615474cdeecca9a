import { describe, expect, test } from "@jest/globals";
import { serviceSpec } from "../../core/release/release-spec.ts";
import type { Container } from "../engine/containers.ts";
import type { Image } from "../engine/images.ts";
import { place, renderRelease } from "../operations/compose-project.ts";
import { aContainerOf } from "../../../test/doubles/composed-container.ts";
import { containerDrift, needsAnotherContainer } from "./container-drift.ts";
import type { WantedContainer } from "./container-drift.ts";

const reference = `web@sha256:${"1".repeat(64)}`;
const image: Image = {
  Id: "id",
  Architecture: "amd64",
  Os: "linux",
  Size: 1,
  Config: { Env: ["PATH=/bin", "LANG=C"], Cmd: ["serve"], User: "node", Volumes: { "/cache": {} } },
};

/** What compose is told of the service `web` of shop's deployment 1. */
function wantedWith(more: Record<string, unknown> = {}): WantedContainer {
  const web = serviceSpec.parse({
    kind: "web",
    image: reference,
    environment: { MODE: "a", PASSWORD: "hunter22", URL: "x=y=z" },
    ...more,
  });
  const spec = { app: "shop", services: { web }, volumes: { files: { external: false } } };
  const placements = place(spec.services, "10.0.0.0/26");
  const project = renderRelease({ ...release, ...spec }, 1, placements, { mountsOf: () => [] });
  const service = project.services["web"] ?? {};
  return {
    name: "web",
    service,
    volumes: project.volumes,
    network: "shop-1",
    files: new Set(),
    mayJoin: (each) => each === "shop-2",
  };
}

const release = {
  version: "1",
  bundle: `sha256:${"1".repeat(64)}`,
  routes: [],
  smoke: [],
  health: { path: "/", status: [200, 399] as [number, number], timeoutSeconds: 30 },
  drainSeconds: 30,
};

/** The drift of a container that was made as told and then changed. */
function drift(
  change: (container: Container) => unknown,
  more: Record<string, unknown> = {},
  of: Image | null = image,
) {
  const wanted = wantedWith(more);
  const container = aContainerOf(wanted, of ?? image);
  change(container);
  return containerDrift(wanted, container, of ?? undefined);
}

const definitions: Record<string, unknown>[] = [
  {},
  { command: ["serve", "--fast"] },
  { entrypoint: ["/init"] },
  { entrypoint: ["/init"], command: ["serve"] },
  { user: "1000", privileged: true },
  { volumes: [{ type: "volume", source: "files", target: "/data", read_only: true }] },
  {
    volumes: [
      { type: "volume", target: "/scratch/" },
      { type: "bind", source: "/srv", target: "/srv" },
    ],
  },
  {
    ports: [{ target: 80, published: "8080", protocol: "tcp", host_ip: "127.0.0.1", mode: "ingress" }, { target: 81 }],
  },
  { labels: { "com.example.team": "shop" } },
];

test.each(definitions)("a container that is as compose was told has none: %j", (definition) => {
  expect(drift(() => undefined, definition)).toEqual([]);
});

describe("drift is told by the path of the property, and names no value that may be a secret", () => {
  const setVariable = (name: string, value: string | undefined) => (container: Container) => {
    const others = (container.Config.Env ?? []).filter((each) => !each.startsWith(`${name}=`));
    container.Config.Env = value === undefined ? others : [...others, `${name}=${value}`];
  };
  test.each([
    ["has another value", setVariable("PASSWORD", "other-secret"), "PASSWORD", "has another value"],
    ["is missing", setVariable("MODE", undefined), "MODE", "is not set"],
    ["was added", setVariable("DEBUG", "1"), "DEBUG", "was added"],
    ["of the image was changed", setVariable("LANG", "de"), "LANG", "was added"],
    ["is named like a property of every object", setVariable("constructor", "1"), "constructor", "was added"],
  ])("a variable that %s", (_name, change, variable, how) => {
    const found = drift(change);
    expect(found).toEqual([{ path: `environment.${variable}`, message: `web: the variable ${variable} ${how}` }]);
    expect(JSON.stringify(found)).not.toMatch(/hunter22|other-secret/);
  });

  const withFiles = { volumes: [{ type: "volume", source: "files", target: "/data" }] };
  const published = { ports: [{ target: 80, published: "8080" }] };
  const cases: { what: string; change: (container: Container) => unknown; definition?: object; told: object }[] = [
    {
      what: "another image",
      change: (each) => (each.Config.Image = "web@sha256:2"),
      told: {
        path: "image",
        message: "web: the container runs web@sha256:2",
        wanted: reference,
        found: "web@sha256:2",
      },
    },
    {
      what: "an end",
      change: ({ State }) => Object.assign(State, { Status: "exited", Running: false, ExitCode: 137 }),
      told: {
        path: "state",
        message: "web: the container is exited (exit code 137)",
        wanted: "running",
        found: "exited",
      },
    },
    {
      what: "a crash loop, which the engine calls running as well",
      change: ({ State }) => Object.assign(State, { Status: "restarting", Restarting: true, ExitCode: 1 }),
      told: { path: "state", found: "restarting" },
    },
    {
      what: "a pause",
      change: ({ State }) => Object.assign(State, { Status: "paused" }),
      told: { path: "state", found: "paused" },
    },
    {
      what: "another command than the image's",
      change: (each) => (each.Config.Cmd = ["sh"]),
      told: { path: "command", message: "web: the command is another" },
    },
    {
      what: "another entrypoint than was told",
      change: (each) => (each.Config.Entrypoint = ["/bin/sh"]),
      definition: { entrypoint: ["/init"] },
      told: { path: "entrypoint", message: "web: the entrypoint is another" },
    },
    {
      what: "another account",
      change: (each) => (each.Config.User = ""),
      told: { path: "user", wanted: "node", found: "root" },
    },
    {
      what: "power over the host",
      change: ({ HostConfig }) => (HostConfig.Privileged = true),
      told: { path: "privileged", message: "web: it has full power over the host" },
    },
    {
      what: "another restart policy",
      change: ({ HostConfig }) => (HostConfig.RestartPolicy.Name = "no"),
      told: { path: "restart", wanted: "unless-stopped", found: "no" },
    },
    {
      what: "a port that was published",
      change: ({ HostConfig }) => (HostConfig.PortBindings = { "22/tcp": [{ HostIp: "", HostPort: "2222" }] }),
      told: { path: "ports", wanted: "none", found: "2222->22/tcp" },
    },
    {
      what: "a port that is open to all",
      change: ({ HostConfig }) => (HostConfig.PortBindings = { "80/tcp": [{ HostIp: "10.0.0.1", HostPort: "8080" }] }),
      definition: published,
      told: { path: "ports", wanted: "8080->80/tcp", found: "10.0.0.1:8080->80/tcp" },
    },
    {
      what: "a label of the agent's that is gone",
      change: ({ Config }) => (Config.Labels = { ...Config.Labels, "dev.ikoma.deployment": "7" }),
      told: { path: 'labels["dev.ikoma.deployment"]' },
    },
    {
      what: "a volume that was left out",
      change: (each) => (each.Mounts = []),
      definition: withFiles,
      told: { path: "volumes", message: "web: /data is mounted from nothing", wanted: "shop_files" },
    },
    {
      what: "another volume",
      change: (each) => {
        each.Mounts.forEach((mount) => (mount.Name = "other_files"));
      },
      definition: withFiles,
      told: { path: "volumes", wanted: "shop_files", found: "other_files" },
    },
    {
      what: "a volume that cannot be written to",
      change: (each) => {
        each.Mounts.forEach((mount) => (mount.RW = false));
      },
      definition: withFiles,
      told: { path: "volumes", found: "shop_files (read-only)" },
    },
    {
      what: "the engine's socket",
      change: ({ Mounts }) =>
        Mounts.push({ Type: "bind", Name: "", Source: "/var/run/docker.sock", Destination: "/s", RW: true }),
      told: { path: "volumes", message: "web: /s was added, mounted from /var/run/docker.sock" },
    },
    {
      what: "a network that it was taken off",
      change: ({ NetworkSettings }) => (NetworkSettings.Networks = {}),
      told: { path: "networks", message: "web: the container is not attached to its network shop-1" },
    },
    {
      what: "another address",
      change: ({ NetworkSettings }) => {
        Object.values(NetworkSettings.Networks).forEach((each) => (each.IPAddress = "10.0.0.9"));
      },
      told: { path: "networks", wanted: "10.0.0.2", found: "10.0.0.9" },
    },
    {
      what: "a name that is gone",
      change: ({ NetworkSettings }) => {
        Object.values(NetworkSettings.Networks).forEach((each) => (each.Aliases = null));
      },
      told: { path: "networks", message: "web: the container is not found as web" },
    },
    {
      what: "a network that is not its",
      change: ({ NetworkSettings }) => Object.assign(NetworkSettings.Networks, { other: { IPAddress: "1.2.3.4" } }),
      told: { path: "networks", message: "web: the container was attached to the network other" },
    },
  ];
  test.each(cases)("$what", ({ change, definition, told }) => {
    expect(drift(change, { ...definition })).toEqual([expect.objectContaining(told)]);
  });
});

test("it may be on other networks of its app, and have a volume that its image asks for", () => {
  const found = drift(({ NetworkSettings, Mounts }) => {
    Object.assign(NetworkSettings.Networks, { "shop-2": { IPAddress: "10.0.1.2" } });
    Mounts.push({ Type: "volume", Name: "f00", Source: "/x", Destination: "/cache", RW: true });
  });
  expect(found).toEqual([]);
});

test("without its image nobody can tell what was added to what the image brings", () => {
  const found = drift(
    (container) => {
      container.Config.Env?.push("DEBUG=1");
      container.Config.User = "root";
      container.Config.Cmd = ["sh"];
    },
    {},
    null,
  );
  expect(found).toEqual([]);
});

test("a container that is down or detached is not made anew for that", () => {
  expect(
    needsAnotherContainer([
      { path: "state", message: "" },
      { path: "networks", message: "" },
    ]),
  ).toBe(false);
  expect(
    needsAnotherContainer([
      { path: "state", message: "" },
      { path: "environment.A", message: "" },
    ]),
  ).toBe(true);
});
