import { expect, test } from "@jest/globals";
import { Client } from "pg";
import { LocalPostgres, password, user } from "../../../test/rigs/postgres.ts";
import { databaseCommand } from "./psql.ts";

test("what counts rows or makes a database has all the time it needs, whatever its user is allowed elsewhere", async () => {
  await using server = await LocalPostgres.start();
  const admin = await server.connect("postgres");
  await admin.query(`ALTER ROLE ${user} SET statement_timeout = '1s'`);
  const { environment } = databaseCommand({ container: "db", user, database: "postgres", applicationName: "a test" }, [
    "psql",
  ]);
  const options = environment?.["PGOPTIONS"] ?? "";
  const client = new Client({ host: "127.0.0.1", port: server.port, user, password, database: "postgres", options });
  await client.connect();
  const { rows } = await client.query("SHOW statement_timeout");
  await client.end();
  expect(rows).toEqual([{ statement_timeout: "0" }]);
});
