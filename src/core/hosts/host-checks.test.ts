import { expect, test } from "@jest/globals";
import { checkHost, faultOf } from "./host-checks.ts";
import { parseHostFacts, type HostFacts } from "./host-facts.ts";

const ports = { httpPort: 80, httpsPort: 443 };

const good: HostFacts = {
  osId: "debian",
  osVersion: "12",
  osName: "Debian GNU/Linux 12 (bookworm)",
  isRoot: true,
  engine: { state: "ready", version: "20.10.24+dfsg1" },
  compose: "5.6.0",
  standaloneCompose: "",
  diskFreeBytes: 50 * 1024 ** 3,
  listening: new Map([[22, "sshd"]]),
  edgeRuns: false,
  clockSkewMs: 12,
};

function findings(more: Partial<HostFacts>): string[] {
  return checkHost({ ...good, ...more }, ports).map(({ severity, message }) => `${severity}: ${message}`);
}

test("a host that has all it needs has no findings", () => {
  expect(findings({})).toEqual([]);
});

test.each<{ what: string; facts: Partial<HostFacts>; finding: string }>([
  { what: "no engine", facts: { engine: { state: "missing" } }, finding: "installable: There is no Docker engine" },
  {
    what: "no engine, and no right to install one",
    facts: { engine: { state: "missing" }, isRoot: false },
    finding: "fault: There is no Docker engine",
  },
  {
    what: "an engine that does not let us in",
    facts: { engine: { state: "refused", reason: "permission denied" } },
    finding: "fault: This user may not",
  },
  {
    what: "an engine that is down",
    facts: { engine: { state: "silent", reason: "cannot connect" } },
    finding: "fault: The Docker engine does not answer: cannot connect",
  },
  {
    what: "an old engine",
    facts: { engine: { state: "ready", version: "19.03.15" } },
    finding: "fault: The Docker engine is 19.03.15",
  },
  {
    what: "compose v1 alone",
    facts: { compose: "", standaloneCompose: "1.29.2" },
    finding: "installable: Compose is version 1.29.2, which is no longer maintained",
  },
  { what: "no compose", facts: { compose: "" }, finding: "warning: There is no `docker compose`" },
  { what: "a full disk", facts: { diskFreeBytes: 3e8 }, finding: "fault: Only 0.3 GiB are free" },
  { what: "a small disk", facts: { diskFreeBytes: 3e9 }, finding: "warning: Only 2.8 GiB are free" },
  { what: "a taken port", facts: { listening: new Map([[80, "nginx"]]) }, finding: "fault: Port 80 is taken by nginx" },
  {
    what: "a system that it is not made for",
    facts: { osId: "alpine", osName: "Alpine Linux v3.20" },
    finding: "warning: Alpine Linux v3.20 is not among",
  },
  {
    what: "an old release",
    facts: { osId: "ubuntu", osVersion: "20.04", osName: "Ubuntu 20.04" },
    finding: "warning: Ubuntu 20.04 is not among",
  },
  { what: "a slow clock", facts: { clockSkewMs: -61_000 }, finding: "warning: Its clock is 61 s behind" },
])("$what is found", ({ facts, finding }) => {
  expect(findings(facts)).toEqual([expect.stringContaining(finding)]);
});

test.each<{ what: string; facts: Partial<HostFacts> }>([
  {
    what: "ports that our own edge holds",
    facts: {
      edgeRuns: true,
      listening: new Map([
        [80, "haproxy"],
        [443, "haproxy"],
      ]),
    },
  },
  { what: "a standalone compose v2", facts: { compose: "", standaloneCompose: "2.24.1" } },
  { what: "compose v1 beside v2", facts: { standaloneCompose: "1.29.2" } },
  { what: "a newer system", facts: { osId: "ubuntu", osVersion: "24.04" } },
  { what: "a newer engine", facts: { engine: { state: "ready", version: "28.2.2" } } },
])("$what is no finding", ({ facts }) => {
  expect(findings(facts)).toEqual([]);
});

test("all that stands in the way is told at once; what may be installed does not stand in the way", () => {
  const found = checkHost({ ...good, engine: { state: "missing" }, listening: new Map([[443, ""]]) }, ports);
  expect(faultOf("vps1", found, false)).toMatchObject({
    code: "HOST_UNSUPPORTED",
    message: "vps1: Port 443 is taken by something else. There is no Docker engine.",
    hint: expect.stringContaining("--install"),
  });
  expect(faultOf("vps1", found, true)?.message).toBe("vps1: Port 443 is taken by something else.");
  expect(faultOf("vps1", checkHost({ ...good, engine: { state: "missing" } }, ports), true)).toBeUndefined();
});

test("facts are read from what the host prints", () => {
  const printed = [
    "osId=debian",
    "osVersion=12",
    "osName=Debian GNU/Linux 12 (bookworm)",
    "uid=0",
    "diskFreeKb=1048576",
    "ports=0016 0050 1F90 ",
    `owners=0.0.0.0:22 users:(("sshd",pid=1,fd=3)) [::]:8080 users:(("node",pid=9,fd=18))`,
    "standaloneCompose=",
    "engine=version 20.10.24+dfsg1",
    "compose=v2.24.1",
    "edge=true",
  ].join("\n");
  expect(parseHostFacts(printed, -5)).toEqual({
    ...good,
    compose: "2.24.1",
    diskFreeBytes: 1024 ** 3,
    listening: new Map([
      [22, "sshd"],
      [80, ""],
      [8080, "node"],
    ]),
    edgeRuns: true,
    clockSkewMs: -5,
  });
  const refused = "engine=version  Got permission denied while trying to connect to the Docker daemon socket";
  expect(parseHostFacts(refused, 0).engine).toMatchObject({ state: "refused" });
  expect(parseHostFacts("engine=Cannot connect to the Docker daemon", 0).engine).toMatchObject({ state: "silent" });
  expect(parseHostFacts("uid=1000", 0)).toMatchObject({ engine: { state: "missing" }, isRoot: false });
});
