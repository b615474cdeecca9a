import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  countStatements,
  createDatabaseStatement,
  differentTables,
  identifier,
  literal,
  parseFacts,
  withCounts,
} from "./database-facts.ts";

test("whatever a name or a text holds, it does not end where it is quoted", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(identifier(text).slice(1, -1).replaceAll('""', "")).not.toContain('"');
      const inside = literal(text).replace(/^ E/, "").slice(1, -1);
      expect(inside.replaceAll("''", "").replaceAll("\\\\", "")).not.toMatch(/['\\]/);
    }),
  );
  expect(countStatements([{ schema: 'odd "name"', name: "t" }])).toEqual([
    'SELECT count(*) FROM ONLY "odd ""name"""."t"',
  ]);
  expect(literal("it's a \\")).toBe(" E'it''s a \\\\'");
});

test("facts are read whichever version tells them", () => {
  const row = { datcollate: "en_US.utf8", datctype: "en_US.utf8" };
  const base = { version: "13.4", number: 130_004, bytes: 9, encoding: "UTF8", preload: null };
  expect(parseFacts(JSON.stringify({ ...base, row }))).toMatchObject({
    major: 13,
    preload: "",
    locale: { provider: "c" },
  });
  const icu = { ...row, datlocprovider: "i" };
  for (const each of [
    { ...icu, daticulocale: "de" },
    { ...icu, datlocale: "de" },
  ])
    expect(parseFacts(JSON.stringify({ ...base, row: each })).locale).toMatchObject({
      provider: "i",
      providerLocale: "de",
    });
});

test("a database is made with the locale that its backup had", () => {
  const libc = { encoding: "UTF8", collate: "C", ctype: "C", provider: "c" };
  expect(createDatabaseStatement("new", libc)).toBe(
    `CREATE DATABASE "new" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`,
  );
  expect(createDatabaseStatement("new", { ...libc, provider: "i", providerLocale: "de" })).toMatch(
    / LOCALE_PROVIDER icu ICU_LOCALE 'de'$/,
  );
});

test("tables that are missing, new, or have other rows are told apart", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => ({ schema: "public", name }));
  const wanted = withCounts(
    [a, b].filter((each) => each !== undefined),
    ["1", "2"],
  );
  expect(differentTables(wanted, wanted)).toEqual([]);
  expect(
    differentTables(
      wanted,
      withCounts(
        [b, c].filter((each) => each !== undefined),
        ["0", "5"],
      ),
    ),
  ).toEqual([
    "public.a is missing, the backup was taken with 1",
    "public.b has 0 rows, the backup was taken with 2",
    "public.c is not in the backup",
  ]);
  expect(() => withCounts([{ schema: "s", name: "t" }], [])).toThrow("0 counts of 1 tables");
});
