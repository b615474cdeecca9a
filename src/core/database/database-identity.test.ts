import { expect, test } from "@jest/globals";
import { identityText, mismatchOf } from "./database-identity.ts";
import type { DatabaseClaim } from "./database-identity.ts";

const prod = { app: "shop", environment: "prod" };
const preprod = { app: "shop", environment: "preprod" };

function claim(more: Partial<DatabaseClaim>): DatabaseClaim {
  const found = { system: "7000", name: "postgres" };
  return { by: preprod, found, owner: undefined, before: undefined, accepted: undefined, ...more };
}

test("a database that nobody has migrated, and the app's own, are right", () => {
  expect(mismatchOf(claim({}))).toBeUndefined();
  expect(mismatchOf(claim({ owner: preprod, before: "7000/postgres" }))).toBeUndefined();
});

test("that of another environment is refused, also where nothing is remembered yet", () => {
  const refusal = mismatchOf(claim({ owner: prod }));
  expect(refusal).toMatchObject({ code: "DATABASE_MISMATCH", details: { identity: "7000/postgres", owner: prod } });
  expect(refusal?.message).toContain("shop of the stack prod");
  expect(refusal?.hint).toContain("`identity: 7000/postgres` in `ikoma:apps.shop.database`");
});

test("another server, and another database of the same one, are refused unless just that is said to be right", () => {
  const other = claim({ owner: preprod, before: "6999/postgres" });
  expect(mismatchOf(other)).toMatchObject({ code: "DATABASE_MISMATCH", details: { before: "6999/postgres" } });
  expect(mismatchOf(claim({ before: "7000/app" }))).toMatchObject({ code: "DATABASE_MISMATCH" });
  expect(mismatchOf({ ...other, accepted: "7000/postgres" })).toBeUndefined();
  expect(mismatchOf({ ...other, accepted: "6999/postgres" })).toMatchObject({ code: "DATABASE_MISMATCH" });
});

test("a server that does not tell its number is known by the database's name", () => {
  const silent = { system: undefined, name: "postgres" };
  expect(identityText(silent)).toBe("unknown/postgres");
  expect(mismatchOf(claim({ found: silent, before: "7000/postgres" }))).toBeUndefined();
  expect(mismatchOf(claim({ before: "unknown/postgres" }))).toBeUndefined();
  expect(mismatchOf(claim({ found: silent, before: "7000/app" }))).toMatchObject({ code: "DATABASE_MISMATCH" });
});
