import { IkomaError } from "../../../core/errors.ts";
import type { AuditRecord } from "../../../core/secret-store/audit.ts";
import { mapSomeAtOnce } from "../../../core/secret-store/some-at-once.ts";
import type { StoreConfig } from "../../../core/secret-store/store-config.ts";
import { signerOf, stateOf, type StoredVersion, type VersionState } from "../../../core/secret-store/stored-version.ts";
import { renderTable } from "../../output/table.ts";

/** A version of a secret, without anything of its value. */
export interface SecretView {
  readonly app: string;
  readonly name: string;
  readonly version: number;
  readonly state: VersionState;
  readonly setAtMs: number;
  /** The writer whose signature was checked; undefined where it does not count. */
  readonly by: string | undefined;
  /** Why it does not count. */
  readonly flaw?: string;
  /** Who can read it, as the settings name them; keys that nobody has there as they are. */
  readonly readers: readonly string[];
}

/** What is told of versions that were asked for, each signature checked. */
export function viewVersions(versions: readonly StoredVersion[], config: StoreConfig): Promise<SecretView[]> {
  return mapSomeAtOnce(versions, (each) => viewOf(each, config));
}

async function viewOf(stored: StoredVersion, { recipients, writers }: StoreConfig): Promise<SecretView> {
  const { app, name, version, createdAtMs } = stored;
  const nameOf = (key: string): string => Object.entries(recipients).find(([, each]) => each === key)?.[0] ?? key;
  const view = { app, name, version, state: stateOf(stored), setAtMs: createdAtMs };
  const readers = view.state === "value" ? stored.recipients.map(nameOf) : [];
  try {
    return { ...view, by: await signerOf(stored, stored, writers), readers };
  } catch (error) {
    if (!(error instanceof IkomaError) || error.code !== "STORE_TAMPERED") throw error;
    return { ...view, by: undefined, flaw: error.message, readers };
  }
}

/** A table of secrets, or of the versions of one. */
export function renderSecrets(secrets: readonly SecretView[]): string {
  return renderTable<SecretView>(
    [
      { title: "app", value: ({ app }) => app },
      { title: "name", value: ({ name }) => name },
      { title: "version", value: ({ version }) => String(version), align: "right" },
      { title: "state", value: ({ state }) => (state === "value" ? "set" : state) },
      { title: "when", value: ({ setAtMs }) => moment(setAtMs) },
      { title: "by", value: ({ by }) => by ?? "NOT VALID" },
      { title: "read by", value: ({ readers }) => readers.map(short).join(", ") || "-" },
    ],
    secrets,
  );
}

/** What was done with a secret, and by whom. */
export function renderAudit(records: readonly AuditRecord[]): string {
  return renderTable<AuditRecord>(
    [
      { title: "when", value: ({ atMs }) => moment(atMs) },
      { title: "what", value: ({ action }) => action },
      { title: "version", value: ({ version }) => (version === null ? "-" : String(version)), align: "right" },
      { title: "who (as they said)", value: ({ who }) => who },
      { title: "role", value: ({ role }) => role },
    ],
    records,
  );
}

/** The flaws of versions that do not count, one a line; nothing where there is none. */
export function renderFlaws(secrets: readonly SecretView[]): string {
  return secrets.flatMap(({ flaw }) => (flaw === undefined ? [] : [`! ${flaw}\n`])).join("");
}

function short(reader: string): string {
  return reader.startsWith("age1") ? `${reader.slice(0, 12)}…` : reader;
}

function moment(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
