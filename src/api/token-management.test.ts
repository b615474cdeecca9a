import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createAdminToken } from "./tokens.ts";
import { RemoteTokens } from "../core/link/remote-tokens.ts";
import { ApiRig } from "../../test/rigs/api-link.ts";

let rig: ApiRig;
beforeEach(async () => {
  rig = await ApiRig.start();
});
afterEach(() => rig.remove());

function tokensWith(token: string): RemoteTokens {
  return new RemoteTokens({ url: rig.url, token: () => token });
}

test("an administrator makes tokens that work, sees them without their secrets, and takes them back", async () => {
  await using tokens = tokensWith(rig.adminToken);
  const made = await tokens.create({ kind: "caller", hosts: ["vps1", "vps2"], note: "CI" });
  const caller = rig.client(made.token);
  const channel = { method: "POST", path: "/v1/hosts/vps2/channels" } as const;
  await expect(caller.json(channel)).rejects.toMatchObject({ status: 503, problem: { code: "HOST_AWAY" } });

  const [listed, ...others] = await tokens.list();
  const [, , createdBy] = rig.adminToken.split("_");
  expect(listed).toMatchObject({ id: made.id, kind: "caller", hosts: ["vps1", "vps2"], note: "CI", createdBy });
  expect(others).toEqual([]);
  expect(JSON.stringify(listed)).not.toMatch(/hash|ikb_/);

  expect(await tokens.revoke(made.id)).toBe(true);
  await expect(caller.json(channel)).rejects.toMatchObject({ status: 401 });
  expect(await tokens.revoke("0".repeat(10))).toBe(false);
});

test("nobody else does, and an administrator does nothing else", async () => {
  const [agent, caller] = [await rig.token("agent", "vps1"), await rig.token("caller", "vps1")];
  for (const text of [agent.text, caller.text, createAdminToken().text, "secret"]) {
    await using tokens = tokensWith(text);
    await expect(tokens.list()).rejects.toMatchObject({ code: "API_AUTH", hint: expect.stringContaining("admins") });
    await expect(tokens.create({ kind: "agent", hosts: ["vps1"], note: "" })).rejects.toMatchObject({
      code: "API_AUTH",
    });
    await expect(tokens.revoke(agent.id)).rejects.toMatchObject({ code: "API_AUTH" });
  }
  const admin = rig.client(rig.adminToken);
  for (const path of ["/v1/hosts/vps1/events", "/v1/agent/sessions/x/calls"])
    await expect(admin.json({ method: "GET", path })).rejects.toMatchObject({ status: 401 });
  expect((await rig.store.tokens()).map(({ revokedMs }) => revokedMs)).toEqual([undefined, undefined]);
});

test("an agent's token is for one host", async () => {
  await using tokens = tokensWith(rig.adminToken);
  await expect(tokens.create({ kind: "agent", hosts: ["vps1", "vps2"], note: "" })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("The API refused"),
  });
  expect(await rig.store.tokens()).toEqual([]);
});
