import { expect, test } from "@jest/globals";
import { hostRoutes } from "./host-routes.ts";

test("the subnets that a host has a route to, without the default one", () => {
  const table = [
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
    "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0",
    "wg0\t0005D20A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
    "eth1\t4000D20A\t00000000\t0001\t0\t0\t0\tC0FFFFFF\t0\t0\t0",
    "eth1\t0700D20A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0",
    "",
  ].join("\n");
  expect(hostRoutes(table)).toEqual(["10.210.5.0/24", "10.210.0.64/26", "10.210.0.7/32"]);
});

test("those of this machine are read", () => {
  for (const route of hostRoutes()) expect(route).toMatch(/^\d+(\.\d+){3}\/\d+$/);
});
