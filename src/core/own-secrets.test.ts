import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { thingToApprove } from "./deployer/plan-approvals.ts";
import { readSecrets } from "./adapters/secrets/read-secrets.ts";
import { signWithSshKey } from "./policies/ssh-signature.ts";

const shell = { ...process.env };
let folder: string;

/** A program that prints what it was given of the store. */
const nosy = '#!/bin/sh\nprintf "%s" "${IKOMA_STORE_URL-}${IKOMA_STORE_IDENTITY-}|$IKOMA_STORE_URL_FILE"\n';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-child-"));
  for (const program of ["ssh-keygen", "git"]) await writeFile(join(folder, program), nosy, { mode: 0o755 });
  Object.assign(process.env, {
    IKOMA_STORE_URL: "postgres://anna:s3cret@db.example/secrets",
    IKOMA_STORE_IDENTITY: "AGE-SECRET-KEY-1",
    IKOMA_STORE_URL_FILE: "a-name",
    PATH: `${folder}:${shell.PATH ?? ""}`,
  });
});
afterAll(async () => {
  process.env = shell;
  await rm(folder, { recursive: true });
});

test("a program that prints a secret has neither the store's login nor an identity", async () => {
  const read = await readSecrets("shop", { KEY: { command: ["ssh-keygen"] } });
  expect(read).toEqual({ KEY: "|a-name" });
});

test("nor has the one that signs", async () => {
  expect(await signWithSshKey("a text", "a-key", "ikoma-secret")).toBe("|a-name");
});

test("nor has git, which is asked for the commit of what is approved", async () => {
  const stackFile = join(folder, "Pulumi.prod.yaml");
  await writeFile(stackFile, "config: {}\n");
  const project = { folder, name: "shop", stackName: "prod", stackFile, backendUrl: undefined };
  const { commit } = await thingToApprove(project, { hosts: {}, apps: {} }, { stack: "prod", entries: [] }, undefined);
  expect(commit).toBe("|a-name");
});
