import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { releaseSpec } from "../../core/release/release-spec.ts";
import type { ReleaseSpec } from "../../core/release/release-spec.ts";
import type { Container } from "../engine/containers.ts";
import { place, renderRelease } from "../operations/compose-project.ts";
import { aContainerOf } from "../../../test/doubles/composed-container.ts";
import { containerDrift } from "./container-drift.ts";
import type { WantedContainer } from "./container-drift.ts";

const sha = `sha256:${"a".repeat(64)}`;
const name = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,8}$/);
const text = fc.string({ maxLength: 12 });
const word = fc.string({ minLength: 1, maxLength: 8 });
const folder = fc.constantFrom("/data", "/srv/files", "/var/lib/app/");
const hostFolder = fc.constantFrom("/srv", "/srv/uploads/", "/srv//data/../files");
const mount = fc.oneof(
  fc.record({ type: fc.constant("volume"), source: fc.constantFrom("files", "cache"), target: folder }),
  fc.record({ type: fc.constant("bind"), source: hostFolder, target: folder, read_only: fc.boolean() }),
  fc.record({ type: fc.constant("volume"), target: folder }),
);
const port = fc.record({ target: fc.integer({ min: 1, max: 65535 }), published: fc.nat(65535).map(String) });
const service = fc.record(
  {
    environment: fc.dictionary(name, text, { maxKeys: 4 }),
    command: fc.array(word, { minLength: 1, maxLength: 3 }),
    entrypoint: fc.array(word, { minLength: 1, maxLength: 2 }),
    user: fc.oneof(word, fc.constant("")),
    privileged: fc.boolean(),
    labels: fc.dictionary(name, text, { maxKeys: 2 }),
    volumes: fc.uniqueArray(mount, { maxLength: 3, selector: ({ target }) => target }),
    ports: fc.uniqueArray(port, { maxLength: 2, selector: ({ target }) => target }),
  },
  { requiredKeys: [] },
);
const image = fc.record({
  Id: fc.constant("id"),
  Architecture: fc.constant("amd64"),
  Os: fc.constant("linux"),
  Size: fc.constant(1),
  Config: fc.record(
    {
      Env: fc.dictionary(name, text, { maxKeys: 3 }).map((all) => Object.entries(all).map((pair) => pair.join("="))),
      Cmd: fc.array(word, { maxLength: 2 }),
      Entrypoint: fc.array(word, { maxLength: 2 }),
      User: word,
    },
    { requiredKeys: [] },
  ),
});

/** A container made as told, of the first service of a random release, and what was told. */
const applied = fc
  .record({
    services: fc.array(service, { minLength: 1, maxLength: 3 }),
    image,
    number: fc.integer({ min: 1, max: 99 }),
  })
  .map(({ services, image: of, number }) => {
    const spec = specOf(services);
    const project = renderRelease(spec, number, place(spec.services, "10.0.0.0/26"), { mountsOf: () => [] });
    const wanted: WantedContainer = {
      name: "s0",
      service: project.services["s0"] ?? {},
      volumes: project.volumes,
      network: `shop-${number}`,
      files: new Set(),
      mayJoin: () => false,
    };
    return { wanted, image: of };
  });

function specOf(services: readonly object[]): ReleaseSpec {
  const all = services.map((each, index): [string, object] => [
    `s${index}`,
    { kind: "web", image: `web@${sha}`, ...each },
  ]);
  const volumes = { files: {}, cache: { name: "shared-cache" } };
  return releaseSpec.parse({ app: "shop", version: "1", bundle: sha, services: Object.fromEntries(all), volumes });
}

/** What a hand can do to a container: each leaves it other than it was told to be, or finds nothing to do it to. */
const tampering: Record<string, (container: Container) => unknown> = {
  "it ends": ({ State }) => Object.assign(State, { Status: "exited", Running: false }),
  "another image": ({ Config }) => (Config.Image += "0"),
  "a variable more": ({ Config }) => Config.Env?.push("added_by_hand=1"),
  "a variable less": ({ Config }) => Config.Env?.shift() ?? nothing(),
  "another value": ({ Config }) => (Config.Env = Config.Env?.length ? Config.Env.map((each) => `${each}!`) : nothing()),
  "a word more in the command": ({ Config }) => (Config.Cmd = [...(Config.Cmd ?? []), "--debug"]),
  "another entrypoint": ({ Config }) => (Config.Entrypoint = ["/bin/evil", ...(Config.Entrypoint ?? [])]),
  "another account": ({ Config }) => (Config.User += "x"),
  "other power": ({ HostConfig }) => (HostConfig.Privileged = !HostConfig.Privileged),
  "another restart policy": ({ HostConfig }) => (HostConfig.RestartPolicy.Name = "always"),
  "a port more": ({ HostConfig }) =>
    (HostConfig.PortBindings = { ...HostConfig.PortBindings, "1/udp": [{ HostIp: "", HostPort: "1" }] }),
  "a port that is closed": ({ HostConfig }) =>
    Object.keys(HostConfig.PortBindings ?? {}).length > 0 ? (HostConfig.PortBindings = {}) : nothing(),
  "a label less": ({ Config }) => (Config.Labels = {}),
  "a mount less": ({ Mounts }) => Mounts.pop() ?? nothing(),
  "a mount more": ({ Mounts }) => Mounts.push({ Type: "bind", Name: "", Source: "/", Destination: "/host", RW: true }),
  "a mount that is closed or opened": ({ Mounts }) =>
    Mounts[0] === undefined ? nothing() : (Mounts[0].RW = !Mounts[0].RW),
  "no network": ({ NetworkSettings }) => (NetworkSettings.Networks = {}),
  "another network": ({ NetworkSettings }) =>
    Object.assign(NetworkSettings.Networks, { other: { IPAddress: "1.1.1.1" } }),
  "another address": ({ NetworkSettings }) => {
    Object.values(NetworkSettings.Networks).forEach((each) => (each.IPAddress = "10.0.0.60"));
  },
  "no name": ({ NetworkSettings }) => {
    Object.values(NetworkSettings.Networks).forEach((each) => (each.Aliases = []));
  },
};

/** The random release has nothing of this kind. */
function nothing(): never {
  fc.pre(false);
  throw new Error("unreachable");
}

test("whatever the release, a container that was made as told has no drift", () => {
  fc.assert(
    fc.property(applied, ({ wanted, image: of }) => {
      expect(containerDrift(wanted, aContainerOf(wanted, of), of)).toEqual([]);
    }),
  );
});

test.each(Object.keys(tampering))("whatever the release, it is told: %s", (what) => {
  fc.assert(
    fc.property(applied, ({ wanted, image: of }) => {
      const container = aContainerOf(wanted, of);
      tampering[what]?.(container);
      expect(containerDrift(wanted, container, of)).not.toEqual([]);
    }),
  );
});
