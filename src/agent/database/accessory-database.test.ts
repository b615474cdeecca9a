import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { imageOf, run, someAccessories } from "../../../test/doubles/host/inputs.ts";
import { OperationRunner } from "../operations/operation-runner.ts";
import { asSchemaOwner, findAccessoryDatabase } from "./accessory-database.ts";

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
});

afterEach(async () => {
  await on.dispose();
});

async function withAccessories(services: Record<string, string>, environment: string[] = []): Promise<void> {
  on.engine.images.set(imageOf("postgres"), {
    imageEnvironment: ["PGDATA=/var/lib/postgresql/data", ...environment],
    exec: (command) => {
      if (command[0] !== "cat") return { code: 0, output: "" }; // Its health check.
      return command[1] === "/run/secrets/db"
        ? { code: 0, output: "from a file" }
        : { code: 1, output: "no such file" };
    },
  });
  const runner = new OperationRunner(on.host);
  expect(await run(runner, "accessories.apply", someAccessories(on, services))).toMatchObject({ state: "succeeded" });
}

test("the only PostgreSQL server among the accessories is found, with the defaults of its image", async () => {
  await withAccessories({ cache: "cache", db: "postgres" });
  const found = await findAccessoryDatabase(on.host, "shop");
  expect(found).toMatchObject({
    service: "db",
    user: "postgres",
    database: "postgres",
    port: 5432,
    password: undefined,
  });
  expect(found.containerId).toBe(on.engine.named("shop-accessories-db-1")?.Id);
  expect(found.address).toMatch(/^127\./);
});

test("login and database are those of its environment, or of the files that it names", async () => {
  await withAccessories({ db: "postgres" }, ["POSTGRES_USER=shop", "POSTGRES_PASSWORD_FILE=/run/secrets/db"]);
  const found = await findAccessoryDatabase(on.host, "shop", "db");
  expect(found).toMatchObject({ user: "shop", database: "shop", password: "from a file" });
});

test("what changes the schema of Supabase's image works as its tools do", async () => {
  await withAccessories({ db: "postgres" }, [
    "POSTGRES_USER=supabase_admin",
    "POSTGRES_DB=postgres",
    "POSTGRES_PASSWORD=a",
  ]);
  const found = await findAccessoryDatabase(on.host, "shop");
  expect(found).toMatchObject({ user: "supabase_admin", database: "postgres" });
  expect(asSchemaOwner(found)).toEqual({ ...found, user: "postgres" });
});

test("a file that is not there is told", async () => {
  await withAccessories({ db: "postgres" }, ["POSTGRES_PASSWORD_FILE=/gone"]);
  const finding = findAccessoryDatabase(on.host, "shop");
  await expect(finding).rejects.toMatchObject({
    code: "DATABASE_NOT_FOUND",
    message: expect.stringContaining("/gone"),
  });
});

test("none, several, another name, and one that does not run are told apart", async () => {
  const message = async (service?: string): Promise<string> => {
    const failure: unknown = await findAccessoryDatabase(on.host, "shop", service).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "DATABASE_NOT_FOUND" });
    return (failure as Error).message;
  };
  expect(await message()).toContain("shop has no PostgreSQL database");
  await withAccessories({ db: "postgres", archive: "postgres" });
  expect(await message()).toContain("more than one PostgreSQL database among its accessories (there is archive, db)");
  expect(await message("cache")).toContain("no PostgreSQL database cache");
  await on.host.containers.stop(on.engine.named("shop-accessories-db-1")?.Id ?? "");
  expect(await message("db")).toContain("db of shop does not run (exited)");
});
