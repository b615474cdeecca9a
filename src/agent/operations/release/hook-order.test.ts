import { expect, test } from "@jest/globals";
import { serviceSpec } from "../../../core/release/release-spec.ts";
import { inOrder } from "./hook-order.ts";

const image = `app@sha256:${"a".repeat(64)}`;

function job(run: "pre" | "post" | undefined, ...needs: string[]) {
  const depends = Object.fromEntries(needs.map((name) => [name, { condition: "service_completed_successfully" }]));
  return serviceSpec.parse({ kind: "job", image, ...(run && { hook: { run } }), depends_on: depends });
}

test("each job comes after those that it depends on, else by name", () => {
  const services = {
    c: job("pre"),
    a: job("pre", "c"),
    b: job("pre", "a"),
    later: job("post", "a"),
    never: job(undefined),
  };
  expect(inOrder(services, "pre")).toEqual(["c", "a", "b"]);
  expect(inOrder(services, "post")).toEqual(["later"]);
});

test("what is no job of that moment is not run, and a circle does not hang", () => {
  const web = serviceSpec.parse({ kind: "web", image, hook: { run: "pre" } });
  expect(inOrder({ web, a: job("pre", "b"), b: job("pre", "a") }, "pre").sort()).toEqual(["a", "b"]);
});
