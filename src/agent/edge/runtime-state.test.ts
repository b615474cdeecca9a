import { expect, test } from "@jest/globals";
import { findMap, parseInfo, parseMap, parseProcesses, parseServers, parseSessions } from "./runtime-state.ts";

const stateHeader =
  "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port";
const stateLine = (name: string, operational: number, admin: number, check: number): string =>
  `5 shop_web_1 1 ${name} 10.0.0.1 ${operational} ${admin} 1 1 2 6 3 1 ${check} 0 0 0 - 80 - 0 0 - - 0`;

test("a server's state is its administrative one before what its check says", () => {
  const lines = [
    stateLine("up", 2, 0, 6),
    stateLine("down", 0, 0, 6),
    stateLine("drain", 2, 8, 6),
    stateLine("drain-down", 0, 8, 6),
    stateLine("maint", 0, 1, 2),
  ];
  const stat = "# pxname,svname,qcur,scur,slim\nshop_web_1,up,1,2,400\nshop_web_1,drain,0,7,\n";
  const servers = parseServers([stateHeader, ...lines].join("\n"), stat);
  expect(servers.map(({ name, state, connections, checked }) => [name, state, connections, checked])).toEqual([
    ["up", "ready", 3, true],
    ["down", "down", 0, true],
    ["drain", "drain", 7, true],
    ["drain-down", "drain", 0, true],
    ["maint", "maint", 0, false],
  ]);
  expect(servers[0]).toMatchObject({ backend: "shop_web_1", address: "10.0.0.1", port: 80, maxConnections: 400 });
});

test("an answer that is not a table is an error, not an empty host", () => {
  const unreadable = expect.objectContaining({ code: "EDGE_FAILED" });
  const thrownBy = (read: () => unknown): unknown => {
    try {
      return read();
    } catch (error) {
      return error;
    }
  };
  expect(thrownBy(() => parseServers(`${stateHeader}\n5 shop_web_1`, "# pxname,svname,qcur,scur,slim\n"))).toEqual(
    unreadable,
  );
  expect(thrownBy(() => parseInfo("Can't connect to the target CLI!"))).toEqual(unreadable);
  expect(thrownBy(() => parseProcesses(""))).toEqual(unreadable);
  expect(thrownBy(() => findMap("1 (/somewhere/else.map) pattern loaded", "routes"))).toEqual(unreadable);
});

test("processes are read as 2.6 and 3.0 print them", () => {
  const text = `#<PID>          <type>          <reloads>       <uptime>        <version>
10307           master          2 [failed: 1]   0d00h00m34s     2.6.12
# workers
10475           worker          1               0d00h00m02s     2.6.12
# old workers
10310           worker          2               0d00h00m33s     2.6.12
10299           worker          3               0d00h00m33s     2.6.12
# programs`;
  expect(parseProcesses(text)).toEqual({ failedReloads: 1, workers: [10475], oldWorkers: [10310, 10299] });
});

test("maps, sessions and the process's own facts are found in their lines", () => {
  expect(parseMap("0x55 shop/ shop_web_1\n0x56 shop/api/ shop_api_1\n")).toEqual(
    new Map([
      ["shop/", "shop_web_1"],
      ["shop/api/", "shop_api_1"],
    ]),
  );
  const maps =
    "# id (file) description\n1 (/e/maps/hosts-00.map) pattern loaded from file\n2 (/e/maps/routes-a1.map) pattern loaded";
  expect(findMap(maps, "routes")).toBe("/e/maps/routes-a1.map");
  const sessions =
    "0x5a: proto=tcpv6 src=::1:1 fe=ikoma_public be=shop_web_1 srv=d1-web-1 ts=00 age=1s\n0x5b: proto=sockpair src=unix:2 fe=GLOBAL be=<NONE> srv=<none> ts=00";
  expect(parseSessions(sessions)).toEqual([
    { id: "0x5a", server: "shop_web_1/d1-web-1" },
    { id: "0x5b", server: "<NONE>/<none>" },
  ]);
  expect(parseInfo("Name: HAProxy\nVersion: 2.6.12\nPid: 7\ndescription: ikoma-abc\nStopping: 1")).toEqual({
    pid: 7,
    version: "2.6.12",
    base: "abc",
    stopping: true,
  });
});
