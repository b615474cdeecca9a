import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ApiRig } from "../../../test/rigs/api-link.ts";

let rig: ApiRig;

beforeEach(async () => {
  rig = await ApiRig.start();
});

afterEach(async () => {
  await rig.remove();
});

/** Status of a request for a token, as it comes without this program's own checks. */
async function askedFor(body: unknown): Promise<number> {
  const headers = { authorization: `Bearer ${rig.adminToken}`, "content-type": "application/json" };
  return (await fetch(`${rig.url}/v1/tokens`, { method: "POST", headers, body: JSON.stringify(body) })).status;
}

test.each([
  ["an agent with two hosts", { kind: "agent", hosts: ["a", "b"], note: "" }],
  ["another administrator", { kind: "admin", hosts: ["a"], note: "" }],
  ["no host", { kind: "caller", hosts: [], note: "" }],
  ["a name that is no host's", { kind: "caller", hosts: ["../x"], note: "" }],
  ["a field that is not known", { kind: "caller", hosts: ["a"], note: "", secret: "x" }],
])("%s cannot be asked for", async (_what, body) => {
  expect(await askedFor(body)).toBe(400);
  expect(await rig.store.tokens()).toEqual([]);
});

test("anybody may ask whether the API is well, and learns nothing else", async () => {
  const answer = await fetch(`${rig.url}/v1/health`);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({ status: "ok" });
  expect((await fetch(`${rig.url}/v1/tokens`)).status).toBe(401);
});
