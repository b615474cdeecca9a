import { hostname } from "node:os";
import * as z from "zod";
import { userName } from "../user-name.ts";
import type { SecretKey } from "./sealed-version.ts";
import type { StoreSession } from "./store-session.ts";

/** Something that was done with a store. */
export interface AuditEntry extends Partial<SecretKey> {
  readonly action: "init" | "set" | "rm" | "purge" | "get" | "rewrap" | "sign";
  readonly version?: number;
  readonly detail?: string;
}

const auditRow = z
  .object({ at: z.date(), who: z.string(), database_role: z.string(), action: z.string() })
  .extend({ version: z.number().nullable(), detail: z.string().nullable() })
  .transform(({ at, database_role: role, ...rest }) => ({ ...rest, role, atMs: at.getTime() }));
/** An entry as it is read. `role` is what the database saw; `who` is what the caller said. */
export type AuditRecord = z.infer<typeof auditRow>;

/** Adds an entry; in the caller's transaction, so that it is there if and only if what it tells was done. */
export async function auditEntry(session: StoreSession, entry: AuditEntry): Promise<void> {
  const { action, environment, app, name, version, detail } = entry;
  await session.rows(
    "INSERT INTO ikoma_store.audit (who, action, environment, app, name, version, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    [callerLabel(), action, environment, app, name, version, detail],
  );
}

/** What was done with one secret, the newest first. */
export async function readAudit(session: StoreSession, { environment, app, name }: SecretKey): Promise<AuditRecord[]> {
  const rows = await session.rows(
    `SELECT at, who, database_role, action, version, detail FROM ikoma_store.audit
     WHERE environment = $1 AND app = $2 AND name = $3 ORDER BY id DESC LIMIT 200`,
    [environment, app, name],
  );
  return rows.map((row) => auditRow.parse(row));
}

/** In GitHub Actions the person and the run; else the user and the machine. */
export function callerLabel(env: NodeJS.ProcessEnv = process.env): string {
  const { GITHUB_ACTOR: actor = "", GITHUB_REPOSITORY: repository = "", GITHUB_RUN_ID: run = "" } = env;
  if (actor !== "" && run !== "") return `${actor} (${repository}, run ${run})`;
  return `${userName()}@${hostname()}`;
}
