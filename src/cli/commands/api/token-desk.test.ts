import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { openTokenDesk } from "./token-desk.ts";

const nowhere = { state: undefined, api: undefined, "ca-cert": undefined };

test.each([
  ["no API", nowhere, "Which API"],
  ["two", { ...nowhere, state: "x", api: "https://bridge.example" }, "Which API"],
  ["one in plain text", { ...nowhere, api: "http://bridge.example" }, "--api: plain HTTP only on this machine"],
  ["an authority for a store", { ...nowhere, state: "x", "ca-cert": "ca.pem" }, "--ca-cert belongs to --api"],
])("a command line that names %s is refused", async (_what, argv, message) => {
  await expect(openTokenDesk(argv)).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining(message),
  });
});

test("at a store of this machine a token is made, listed and taken back", async () => {
  const state = await mkdtemp(join(tmpdir(), "ikoma-desk-"));
  await using desk = await openTokenDesk({ ...nowhere, state });
  const { id } = await desk.create({ kind: "agent", hosts: ["vps1"], note: "" });
  expect(await desk.revoke(id)).toBe(true);
  expect(await desk.list()).toMatchObject([{ id, kind: "agent", createdBy: "local", revokedMs: expect.any(Number) }]);
  await rm(state, { recursive: true });
});
