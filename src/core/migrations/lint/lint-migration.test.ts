import { describe, expect, test } from "@jest/globals";
import { allowableRules, lintMigration } from "./lint-migration.ts";

/** `rule (line)`, in order. */
async function rulesOf(text: string, isSupabase = false): Promise<string[]> {
  const { findings } = await lintMigration(text, isSupabase);
  return findings.map(({ rule, line }) => `${rule} (${line})`);
}

/** What a rule finds, and what is as near to it as can be and right. */
const cases: readonly { rule: string; hits: readonly string[]; misses: readonly string[]; isContract?: true }[] = [
  {
    rule: "syntax",
    hits: ["selct 1", "\\restrict x", "create table a (id int"],
    misses: ["select 1", "", "-- only a comment", "do $$ begin perform 1; end $$;"],
  },
  {
    rule: "transaction-control",
    hits: ["begin", "commit", "savepoint a", "start transaction"],
    misses: ["create function f() returns void language plpgsql as $$ begin commit; end $$"],
  },
  { rule: "copy-from-stdin", hits: ["copy a from stdin"], misses: ["copy a from '/data/a.csv'", "copy a to stdout"] },
  {
    rule: "not-alone",
    hits: ["create index concurrently i on a (b); select 1", "vacuum; select 1"],
    misses: ["create index concurrently i on a (b)", "create index i on a (b); select 1", "analyze; select 1"],
  },
  {
    rule: "not-repeatable",
    hits: [
      "create index concurrently on a (b)",
      "drop index concurrently i",
      "reindex index concurrently i",
      "create database d",
      "alter system set work_mem = '1MB'",
      "alter table a detach partition b concurrently",
      "create subscription s connection '' publication p",
    ],
    misses: [
      "create index concurrently i on a (b)",
      "drop index concurrently if exists i",
      "reindex index i",
      "alter table a detach partition b",
      "refresh materialized view concurrently m",
    ],
  },
  {
    rule: "drop-table",
    hits: [
      "drop table a",
      "drop table if exists s.a cascade",
      "create table s.a (); drop table a",
      "drop table a; create table a ()",
      "create table if not exists a (); drop table a",
      "create schema a; create table a.b (); drop table a",
      "create function a() returns int language sql as 'select 1'; drop table a",
      "drop owned by a",
    ],
    misses: ["create table a (); drop table public.a", "drop index a"],
    isContract: true,
  },
  {
    rule: "drop-schema",
    hits: ["drop schema a cascade", "create schema if not exists a; drop schema a cascade"],
    misses: ["create schema a; drop schema a"],
    isContract: true,
  },
  {
    rule: "drop-object",
    hits: [
      "drop view v",
      "drop function f(int)",
      "drop type t",
      "drop sequence q",
      "drop extension x",
      "drop routine r",
    ],
    misses: [
      "drop view if exists v; create view v as select 1",
      "drop function public.f(int); create function f(a int) returns int language sql as 'select 1'",
      "drop type t; create type t as enum ('a')",
      "drop trigger t on a",
    ],
    isContract: true,
  },
  {
    rule: "drop-column",
    hits: ["alter table a drop column b", "alter table a add column c int, drop b"],
    misses: [
      "create table a (b int); alter table a drop column b",
      "alter table a drop constraint b",
      "alter table a alter b drop default",
    ],
    isContract: true,
  },
  {
    rule: "rename",
    hits: [
      "alter table a rename to b",
      "alter table a rename column b to c",
      "alter view a rename to b",
      "alter type a rename to b",
      "alter type a rename value 'b' to 'c'",
      "alter table a set schema s",
      "alter procedure p() rename to q",
      "alter type a rename attribute b to c",
    ],
    misses: [
      "alter index a rename to b",
      "alter table a rename constraint b to c",
      "create table a (b int); alter table a rename b to c",
      "alter policy p on a rename to q",
      "alter type a add value 'b'",
      "create table a (); alter table a set schema s",
    ],
    isContract: true,
  },
  {
    rule: "truncate",
    hits: ["truncate a, b", "create table a (); truncate a, b"],
    misses: ["delete from a where b", "create table a (); truncate a"],
    isContract: true,
  },
  {
    rule: "no-where",
    hits: [
      "delete from a",
      "with gone as (delete from a returning *) select * from gone",
      "create table b as with gone as (delete from a returning *) select * from gone",
      "explain analyze delete from a",
      "update a set b = 1",
      "alter table a add column c int; update a set c = 1, b = 2",
      "alter table a add column if not exists c int; update a set c = 1",
    ],
    misses: [
      "delete from a where true",
      "update a set b = 1 where b is null",
      "alter table a add column c int; update public.a set c = 1",
      "create table a (b int); insert into a values (1); update a set b = 2; delete from a",
    ],
    isContract: true,
  },
  {
    rule: "change-type",
    hits: ["alter table a alter column b type bigint"],
    misses: ["create table a (b int); alter table a alter b type bigint", "alter table a alter b set default 1"],
    isContract: true,
  },
  {
    rule: "set-not-null",
    hits: ["alter table a alter column b set not null", "alter table a add constraint c not null b"],
    misses: [
      "alter table a alter column b drop not null",
      "create table a (b int); alter table a alter b set not null",
    ],
    isContract: true,
  },
  {
    rule: "required-column",
    hits: ["alter table a add column b int not null", "alter table a add column b int primary key"],
    misses: [
      "alter table a add column b int not null default 0",
      "alter table a add column b int",
      "alter table a add column b bigserial primary key",
      "alter table a add column b serial not null",
      "alter table a add column b int not null generated always as (1) stored",
      "create table a (); alter table a add column b int not null",
    ],
    isContract: true,
  },
  {
    rule: "grant-all",
    hits: [
      "grant all on a to anon",
      "grant all privileges on all tables in schema public to public",
      "alter default privileges in schema public grant all on tables to anon",
    ],
    misses: ["grant select on a to anon", "grant all on a to service_role", "revoke all on a from anon"],
  },
  {
    rule: "drop-policy",
    hits: ["drop policy p on a", "drop policy p on a; create policy q on a using (true)"],
    misses: ["drop policy if exists p on public.a; create policy p on a using (true)"],
  },
  {
    rule: "disable-rls",
    hits: ["alter table a disable row level security"],
    misses: ["alter table a enable row level security"],
  },
  {
    rule: "index-blocks-writes",
    hits: ["create index i on a (b)"],
    misses: ["create index concurrently i on a (b)", "create table a (b int); create index i on a (b)"],
  },
  {
    rule: "constraint-checks-rows",
    hits: ["alter table a add foreign key (b) references c (id)", "alter table a add check (b > 0)"],
    misses: ["alter table a add check (b > 0) not valid", "create table a (b int); alter table a add check (b > 0)"],
  },
  {
    rule: "unique-blocks",
    hits: ["alter table a add unique (b)", "alter table a add primary key (b)"],
    misses: ["alter table a add constraint u unique using index i", "create table a (b int unique)"],
  },
  {
    rule: "default-rewrites-table",
    hits: [
      "alter table a add column b uuid default gen_random_uuid()",
      "alter table a add b int generated always as identity",
    ],
    misses: ["alter table a add column b timestamptz default now()", "alter table a add column b int default 1"],
  },
  {
    rule: "directive",
    hits: [
      '-- ikoma:allow drop-colum reason="x"\nselect 1',
      "-- ikoma:allow drop-column\nselect 1",
      '-- ikoma:allow drop-column reason=" "\nselect 1',
      "-- ikoma:phase later\nselect 1",
    ],
    misses: [
      '-- ikoma:allow drop-column reason="x"\nselect 1',
      "select '-- ikoma:phase later'",
      "-- about ikoma: no directive",
    ],
  },
];

describe.each(cases)("$rule", ({ rule, hits, misses, isContract }) => {
  test.each(hits)("finds: %s", async (text) => {
    const { findings, phase } = await lintMigration(text, false);
    expect(findings.map((each) => each.rule)).toContain(rule);
    expect(phase).toBe(isContract ? "contract" : "expand");
  });

  test.each(misses)("leaves alone: %s", async (text) => {
    expect((await lintMigration(text, false)).findings.map((each) => each.rule)).not.toContain(rule);
  });
});

test("every rule that can be allowed has such a case, but that of Supabase below", () => {
  const tried = [...cases.map(({ rule }) => rule), "table-without-rls"];
  expect(allowableRules.filter((rule) => !tried.includes(rule))).toEqual([]);
});

test("a table that the internet reaches needs row level security; others do not", async () => {
  const open = "create table orders (id int)";
  expect(await rulesOf(open, true)).toEqual(["table-without-rls (1)"]);
  expect(await rulesOf(open)).toEqual([]);
  expect(await rulesOf(`${open}; alter table public.orders enable row level security`, true)).toEqual([]);
  expect(await rulesOf("create table private.orders (id int); create temp table t (id int)", true)).toEqual([]);
  for (const copy of ["create table copy as select * from orders", "select * into copy from orders"]) {
    expect(await rulesOf(copy, true)).toEqual(["table-without-rls (1)"]);
    expect(await rulesOf(`${copy}; alter table copy enable row level security`, true)).toEqual([]);
  }
  expect(
    await rulesOf("create temp table copy as select * from orders; select * into temp t from orders", true),
  ).toEqual([]);
});

test("a finding is at the line of its statement, comments before it or not, in any script", async () => {
  const text = "/* é\n */ select 'ü;';\n\n-- why\nalter table é\n  drop column b;\ntruncate é;";
  expect(await rulesOf(text)).toEqual(["drop-column (5)", "truncate (7)"]);
  const { statements } = await lintMigration(text, false);
  expect(statements.map(({ start, end }) => text.slice(start, end))).toEqual([
    "select 'ü;'",
    "alter table é\n  drop column b",
    "truncate é",
  ]);
  expect(await rulesOf("select 'é';\n\nselct 1")).toEqual(["syntax (3)"]);
});

test("the file allows a rule with a reason; what cannot be run at all it cannot allow", async () => {
  const allowed =
    '-- ikoma:allow truncate reason="a cache"\n-- ikoma:allow no-backup reason="it is a cache"\ntruncate a; drop table b;';
  expect(await lintMigration(allowed, false)).toMatchObject({
    phase: "contract",
    withoutBackup: "it is a cache",
    findings: [{ rule: "truncate", allowed: "a cache" }, { rule: "drop-table" }],
  });
  expect((await lintMigration(allowed, false)).findings[1]).not.toHaveProperty("allowed");
  expect(await rulesOf('-- ikoma:allow syntax reason="x"\nselect 1')).toEqual(["directive (1)"]);
});

test("a file may say that the release before cannot live with it, and not the contrary", async () => {
  expect(await lintMigration("-- ikoma:phase contract\nselect 1", false)).toMatchObject({ phase: "contract" });
  for (const rest of ["drop table a", "-- ikoma:phase contract\nselect 1", "select 1;\n-- ikoma:phase contract"])
    expect(await lintMigration(`-- ikoma:phase expand\n${rest}`, false)).toMatchObject({ phase: "contract" });
  expect(await lintMigration("-- ikoma:phase contract\n-- ikoma:phase expand\nselect 1", false)).toMatchObject({
    phase: "contract",
  });
});

test("every message says what to do instead", async () => {
  const found = await Promise.all(cases.flatMap(({ hits }) => hits).map((text) => lintMigration(text, true)));
  for (const { rule, message } of found.flatMap(({ findings }) => findings)) {
    expect(`${rule}: ${message}`).toMatch(/: .*\. .*\.$/s);
  }
});

test("an index that is made outside a transaction is known by its name", async () => {
  expect(await lintMigration('create index concurrently "By É" on shop.a (b)', false)).toMatchObject({
    outsideTransaction: { index: { schema: "shop", name: "By É" } },
  });
  expect(await lintMigration("vacuum", false)).toMatchObject({ outsideTransaction: {} });
  expect(await lintMigration("create index i on a (b)", false)).not.toHaveProperty("outsideTransaction");
});
