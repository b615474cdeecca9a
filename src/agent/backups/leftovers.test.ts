import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { Leftovers } from "./leftovers.ts";
import { markRestore } from "./restore-marker.ts";

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
});

afterEach(async () => {
  await on.dispose();
});

/** Begins a backup, and tells whether what there is of it is still there. */
async function halfABackup(): Promise<() => boolean> {
  const id = await on.host.backups.begin("shop", Date.now());
  return () => existsSync(`${on.host.backups.folder("shop", id)}.partial`);
}

test("half a backup goes; one that is made while the database does not answer yet stays", async () => {
  const isOldThere = await halfABackup();
  const leftovers = new Leftovers(on.host, "shop");
  // Of a database that is not there.
  await markRestore(on.host, "shop", { service: "db", unfinished: "shop_restoring" });
  expect(await leftovers.clear()).toBe(false);
  expect(isOldThere()).toBe(false);
  const isNewThere = await halfABackup();
  expect(await leftovers.clear()).toBe(false);
  expect(isNewThere()).toBe(true);
});
