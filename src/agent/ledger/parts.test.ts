import { expect, test } from "@jest/globals";
import { randomBytes } from "node:crypto";
import { siteSpec } from "../../core/release/release-spec.ts";
import { openDatabase } from "./database.ts";
import { Parts } from "./parts.ts";
import { Vault } from "./vault.ts";

const database = openDatabase(":memory:");
const parts = new Parts(database, new Vault(randomBytes(32)));

test("a part counts its changes, apart from every other", () => {
  expect(parts.generation("shop", "release")).toBe(0);
  expect(parts.advance("shop", "release")).toBe(1);
  expect(parts.advance("shop", "release")).toBe(2);
  expect(parts.generation("shop", "site")).toBe(0);
  expect(parts.generation("blog", "release")).toBe(0);
});

test("what was accepted is kept sealed, replaced and forgotten; its generation is not", () => {
  const site = siteSpec.parse({ app: "shop", domains: ["shop.example"], certificatePem: "-----PRIVATE KEY-----" });
  parts.set("shop", "site", { app: "shop", domains: ["old.example"] });
  parts.set("shop", "site", site);
  parts.advance("shop", "site");
  expect(parts.get("shop", "site", siteSpec)).toEqual(site);
  expect(JSON.stringify(database.prepare("SELECT CAST(sealed AS TEXT) AS text FROM parts").all())).not.toContain(
    "PRIVATE",
  );
  expect(parts.apps()).toEqual(["shop"]);
  parts.remove("shop", "site");
  expect(parts.get("shop", "site", siteSpec)).toBeUndefined();
  expect(parts.apps()).toEqual([]);
  expect(parts.generation("shop", "site")).toBe(1);
});
