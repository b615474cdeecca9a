import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { planSwitch } from "./switch-plan.ts";
import type { EdgeApp } from "./edge.ts";
import type { RuntimeServer } from "./runtime-state.ts";

const found = (name: string, more: Partial<RuntimeServer> = {}): RuntimeServer => ({
  name,
  backend: "shop_web_80",
  address: "10.0.0.1",
  port: 80,
  state: "ready",
  connections: 0,
  weight: 1,
  checked: false,
  maxConnections: 400,
  ...more,
});
const wanted = (...names: string[]): EdgeApp => ({
  app: "shop",
  domains: [],
  routes: [],
  servers: names.map((name) => ({ name, service: "web", address: "10.0.0.1", port: 80 })),
});

test("new servers are made known, then ready, then checked; the old ones drain last", () => {
  const { prepare, activate, drain } = planSwitch([found("old")], wanted("new", "twin"));
  expect(prepare.map((each) => each.command)).toEqual(
    ["new", "twin"].map(
      (name) =>
        `add server shop_web_80/${name} 10.0.0.1:80 maxconn 400 check inter 500ms fastinter 200ms fall 2 rise 1`,
    ),
  );
  expect(activate.map((each) => each.command)).toEqual([
    "set server shop_web_80/new state ready",
    "enable health shop_web_80/new",
    "set server shop_web_80/twin state ready",
    "enable health shop_web_80/twin",
  ]);
  expect(drain.map((each) => each.command)).toEqual(["set server shop_web_80/old state drain"]);
});

test("a server alone in its backend is not checked, whatever it was before", () => {
  const alone = planSwitch([], wanted("new"));
  expect(alone.prepare.map((each) => each.command)).toEqual(["add server shop_web_80/new 10.0.0.1:80 maxconn 400"]);
  expect(alone.activate.map((each) => each.command)).toEqual(["set server shop_web_80/new state ready"]);
  const left = planSwitch([found("a", { checked: true, state: "down" })], wanted("a"));
  expect(left.activate.map((each) => each.command)).toEqual([
    "disable health shop_web_80/a",
    "set server shop_web_80/a health up",
  ]);
});

test("a limit of its own is set where a server is made known, and where it has another", () => {
  const [server] = wanted("a").servers;
  const limited = { ...wanted(), servers: server === undefined ? [] : [{ ...server, maxConnections: 5000 }] };
  expect(planSwitch([], limited).prepare.map((each) => each.command)).toEqual([
    "add server shop_web_80/a 10.0.0.1:80 maxconn 5000",
  ]);
  expect(planSwitch([found("a")], limited).prepare.map((each) => each.command)).toEqual([
    "set maxconn server shop_web_80/a 5000",
  ]);
});

test("IPv6 addresses are put in brackets, and a changed address is set", () => {
  const six: EdgeApp = { ...wanted(), servers: [{ name: "a", service: "web", address: "fd00::1", port: 80 }] };
  expect(planSwitch([], six).prepare[0]?.command).toMatch(/^add server shop_web_80\/a \[fd00::1\]:80 /);
  expect(planSwitch([found("a")], six).prepare.map((each) => each.command)).toEqual([
    "set server shop_web_80/a addr fd00::1 port 80",
  ]);
});

test("carried out, a plan leaves nothing to plan, from whatever state", () => {
  const state = fc.constantFrom<RuntimeServer["state"]>("ready", "drain", "maint", "down");
  const now = fc.uniqueArray(fc.record({ name: fc.constantFrom("a", "b", "c", "d"), state, checked: fc.boolean() }), {
    selector: (each) => each.name,
  });
  fc.assert(
    fc.property(now, fc.subarray(["a", "b", "c", "d"]), (servers, names) => {
      const before = servers.map((each) => found(each.name, each));
      const plan = planSwitch(before, wanted(...names));
      const after = [...plan.prepare, ...plan.activate, ...plan.drain].reduce(
        (list, { command }) => carriedOut(list, command),
        before,
      );
      expect(planSwitch(after, wanted(...names))).toEqual({ prepare: [], activate: [], drain: [] });
      expect(
        after
          .filter((each) => each.state === "ready" || each.state === "down")
          .map((each) => each.name)
          .sort(),
      ).toEqual([...names].sort());
    }),
  );
});

/** What HAProxy does with the commands of a plan. */
function carriedOut(servers: RuntimeServer[], command: string): RuntimeServer[] {
  const name = /shop_web_80\/(\S+)/.exec(command)?.[1] ?? "";
  const change = (more: Partial<RuntimeServer>) =>
    servers.map((each) => (each.name === name ? { ...each, ...more } : each));
  if (command.startsWith("add server")) return [...servers, found(name, { state: "maint", checked: false })];
  if (command.startsWith("enable health")) return change({ checked: true });
  if (command.startsWith("disable health")) return change({ checked: false });
  return change({ state: command.endsWith("drain") ? "drain" : "ready" });
}
