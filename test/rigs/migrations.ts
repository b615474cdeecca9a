import { createHash } from "node:crypto";
import type { Client } from "pg";
import { OperationRunner } from "../../src/agent/operations/operation-runner.ts";
import { lintMigration } from "../../src/core/migrations/lint/lint-migration.ts";
import type { MigrationFile } from "../../src/core/migrations/migration-spec.ts";
import { TestHost } from "../doubles/host/host.ts";
import type { LocalPostgres } from "./postgres.ts";

/** For tests of migrations: a host, and an empty database of a real PostgreSQL with a client to look into it. */
export class MigrationRig implements AsyncDisposable {
  readonly on: TestHost;
  readonly runner: OperationRunner;
  readonly database: string;
  readonly client: Client;

  private constructor(on: TestHost, database: string, client: Client) {
    this.on = on;
    this.runner = new OperationRunner(on.host);
    this.database = database;
    this.client = client;
  }

  static async create(server: LocalPostgres): Promise<MigrationRig> {
    const database = await server.database();
    return new MigrationRig(await TestHost.create(), database, await server.connect(database));
  }

  /** What a query calls `value`. */
  async column<T>(sql: string): Promise<T[]> {
    const { rows } = await this.client.query<{ value: T }>(sql);
    return rows.map(({ value }) => value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end();
    await this.on.dispose();
  }
}

/** Files by name (`1_users`), as a bundle has them. */
export async function migrationFiles(texts: Record<string, string>): Promise<MigrationFile[]> {
  const made = Object.entries(texts).map(async ([key, text]) => {
    const [, version = "", name = ""] = /^(\d+)_(.*)$/.exec(key) ?? [];
    const sha256 = createHash("sha256").update(text).digest("hex");
    return { version, name, sha256, text, ...(await lintMigration(text, false)) };
  });
  return Promise.all(made);
}
