import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { openDatabase } from "./database.ts";
import { Subnets, addressIn } from "./subnets.ts";

/** Four networks. */
const smallPool = "10.9.0.0/24";

function fresh(pool = smallPool): Subnets {
  return new Subnets(openDatabase(":memory:"), pool);
}

describe("the pool", () => {
  test("is cut into /26 networks, from its own first address", () => {
    const subnets = fresh("10.9.7.77/24");
    expect(["a", "b", "c", "d"].map((owner) => subnets.allocate(owner, []))).toEqual([
      "10.9.7.0/26",
      "10.9.7.64/26",
      "10.9.7.128/26",
      "10.9.7.192/26",
    ]);
    expect(() => subnets.allocate("e", [])).toThrow(expect.objectContaining({ code: "NETWORKS_EXHAUSTED" }));
  });

  test("works at the upper end of the addresses", () => {
    expect(fresh("223.255.255.192/26").allocate("a", [])).toBe("223.255.255.192/26");
  });

  test("smaller than one network is refused", () => {
    expect(() => fresh("10.9.0.0/27")).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  });

  test.each([
    ["a part of it (a VPN) is left out", ["10.9.0.0/25"], "10.9.0.128/26"],
    ["an address in it is left out", ["10.9.0.9/32"], "10.9.0.64/26"],
    ["exactly it, or more than it, says nothing", ["10.9.0.0/24", "10.0.0.0/8"], "10.9.0.0/26"],
  ])("where the host has a route to %s", (_name, routes, expected) => {
    const subnets = new Subnets(openDatabase(":memory:"), "10.9.0.0/24", () => routes);
    expect(subnets.allocate("a", [])).toBe(expected);
  });

  test("may change: what is held stays, nothing else of the old one is given out", () => {
    const database = openDatabase(":memory:");
    const before = new Subnets(database, "10.9.0.0/25");
    const held = before.allocate("a", []);
    const after = new Subnets(database, "10.8.0.0/25");
    expect(after.allocate("a", [])).toBe(held);
    expect(after.allocate("b", [])).toBe("10.8.0.0/26");
    after.release("a");
    expect(after.allocate("c", [])).toBe("10.8.0.64/26");
    expect(() => after.allocate("d", [])).toThrow("in use");
  });
});

describe("allocation", () => {
  test("gives an owner the network it has, whatever is in use meanwhile", () => {
    const subnets = fresh();
    const first = subnets.allocate("shop-1", []);
    expect(subnets.allocate("shop-1", [first])).toBe(first);
    expect(subnets.owners()).toEqual(["shop-1"]);
  });

  test.each([
    ["the same", ["10.9.0.0/26"], "10.9.0.64/26"],
    ["a part", ["10.9.0.32/28"], "10.9.0.64/26"],
    ["all but the last", ["10.9.0.0/25", "10.9.0.128/32"], "10.9.0.192/26"],
    ["IPv6", ["fd00::/8"], "10.9.0.0/26"],
  ])("avoids what a network of somebody else covers: %s", (_name, inUse, expected) => {
    expect(fresh().allocate("a", inUse)).toBe(expected);
  });

  test("everything covered is exhaustion", () => {
    expect(() => fresh().allocate("a", ["0.0.0.0/0"])).toThrow(expect.objectContaining({ code: "NETWORKS_EXHAUSTED" }));
  });

  test("a released network comes back last, behind those that are fresh or were released before", () => {
    const subnets = fresh();
    const [a, b] = [subnets.allocate("a", []), subnets.allocate("b", [])];
    subnets.release("b");
    subnets.release("a");
    const next = ["c", "d", "e", "f"].map((owner) => subnets.allocate(owner, []));
    expect(next.slice(0, 2)).toEqual(["10.9.0.128/26", "10.9.0.192/26"]);
    expect(next.slice(2).toSorted()).toEqual([a, b].toSorted());
  });

  test("networks released at different times come back in that order", () => {
    const database = openDatabase(":memory:");
    const subnets = new Subnets(database, smallPool);
    for (const owner of ["a", "b", "c", "d"]) subnets.allocate(owner, []);
    for (const owner of ["c", "a", "d"]) subnets.release(owner);
    const set = database.prepare("UPDATE subnets SET released_ms = ? WHERE subnet = ?");
    set.run(3000, "10.9.0.0/26");
    set.run(1000, "10.9.0.128/26");
    set.run(2000, "10.9.0.192/26");
    expect(["x", "y", "z"].map((owner) => subnets.allocate(owner, []))).toEqual([
      "10.9.0.128/26",
      "10.9.0.192/26",
      "10.9.0.0/26",
    ]);
  });

  test("whatever is allocated and released, no network has two owners and no owner two networks", () => {
    const owner = fc.constantFrom("a", "b", "c", "d", "e", "f");
    const step = fc.record({ kind: fc.constantFrom("allocate", "release"), owner });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const subnets = fresh();
        const held = new Map<string, string>();
        for (const { kind, owner: who } of steps) {
          if (kind === "release") {
            subnets.release(who);
            held.delete(who);
          } else if (held.has(who) || held.size < 4) {
            const given = subnets.allocate(who, []);
            expect(held.get(who) ?? given).toBe(given);
            held.set(who, given);
          } else {
            expect(() => subnets.allocate(who, [])).toThrow();
          }
          expect(new Set(held.values()).size).toBe(held.size);
          expect(subnets.owners().toSorted()).toEqual([...held.keys()].toSorted());
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("addressIn", () => {
  test("counts from the network's own address", () => {
    expect(addressIn("10.9.0.64/26", 1)).toBe("10.9.0.65");
    expect(addressIn("10.9.0.192/26", 62)).toBe("10.9.0.254");
  });

  test.each([0, 63, -1])("has no address %s", (index) => {
    expect(() => addressIn("10.9.0.0/26", index)).toThrow(expect.objectContaining({ code: "NETWORKS_EXHAUSTED" }));
  });
});

test("of a ledger that is rebuilt, what networks have is held, and what may just have been in use comes last", () => {
  const subnets = new Subnets(openDatabase(":memory:"), "10.5.0.0/24");
  subnets.hold(new Map([["shop-2", "10.5.0.64/26"]]));
  expect(subnets.allocate("shop-2", [])).toBe("10.5.0.64/26");
  expect(["shop-3", "shop-4", "shop-5"].map((owner) => subnets.allocate(owner, []))).toEqual([
    ...["10.5.0.128/26", "10.5.0.192/26", "10.5.0.0/26"],
  ]);
});
