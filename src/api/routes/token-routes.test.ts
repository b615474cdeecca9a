import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ApiRig } from "../../../test/rigs/api-link.ts";
import { RemoteTokens } from "../../core/link/remote-tokens.ts";
import { createAdminToken, createToken } from "../tokens.ts";

let rig: ApiRig;

beforeEach(async () => {
  rig = await ApiRig.start();
});

afterEach(async () => {
  await rig.remove();
});

function deskOf(token: string): RemoteTokens {
  return new RemoteTokens({ url: rig.url, token: () => token });
}

/** Status of a request for a token, as it comes without this program's own checks. */
async function askedFor(body: unknown): Promise<number> {
  const headers = { authorization: `Bearer ${rig.adminToken}`, "content-type": "application/json" };
  return (await fetch(`${rig.url}/v1/tokens`, { method: "POST", headers, body: JSON.stringify(body) })).status;
}

test("an administrator makes tokens, lists them without their secrets, and takes them back once", async () => {
  await using desk = deskOf(rig.adminToken);
  const made = await desk.create({ kind: "caller", hosts: ["vps1", "vps2"], note: "CI" });
  expect(made.token).toMatch(/^ikb_caller_/);
  const listed = await desk.list();
  expect(listed).toEqual([
    expect.objectContaining({ id: made.id, kind: "caller", hosts: ["vps1", "vps2"], note: "CI" }),
  ]);
  expect(JSON.stringify(listed)).not.toContain(made.token);
  expect(await desk.revoke(made.id)).toBe(true);
  expect((await desk.list())[0]?.revokedMs).toEqual(expect.any(Number));
  expect(await desk.revoke("nothing123")).toBe(false);
});

test.each(["caller", "agent"] as const)("a token of the kind %s manages none", async (kind) => {
  const { text } = await createToken(rig.store, { kind, hosts: ["vps1"], note: "" });
  await using desk = deskOf(text);
  for (const attempt of [desk.list(), desk.create({ kind: "caller", hosts: ["vps1"], note: "" }), desk.revoke("x")])
    await expect(attempt).rejects.toMatchObject({ code: "API_AUTH" });
  expect(await rig.store.tokens()).toHaveLength(1);
});

test("an administrator whose fingerprint the API does not have is nobody", async () => {
  await using desk = deskOf(createAdminToken().text);
  await expect(desk.list()).rejects.toMatchObject({
    code: "API_AUTH",
    hint: expect.stringContaining("ikoma:bridge.admins") as unknown,
  });
  expect((await fetch(`${rig.url}/v1/tokens`)).status).toBe(401);
});

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
});
