import { IkomaError } from "../errors.ts";

/** What tells a database from every other one. */
export interface DatabaseIdentity {
  /** Number that the server was given when it was set up; undefined where it does not tell the user. */
  readonly system: string | undefined;
  readonly name: string;
}

/** Whose migrations a database has. */
export interface DatabaseOwner {
  readonly app: string;
  /** Name of the stack. */
  readonly environment: string;
}

/** What is known of the database that migrations are to go to. */
export interface DatabaseClaim {
  readonly by: DatabaseOwner;
  readonly found: DatabaseIdentity;
  /** As the database itself says; undefined where nobody's migrations were run there. */
  readonly owner: DatabaseOwner | undefined;
  /** The one that had the app's migrations before, as the host remembers it: {@link identityText}. */
  readonly before: string | undefined;
  /** The one that somebody has said is right. */
  readonly accepted: string | undefined;
}

/** As settings and messages name it: `7312345678901234567/postgres`. */
export function identityText({ system, name }: DatabaseIdentity): string {
  return `${system ?? "unknown"}/${name}`;
}

/** Why migrations must not go there; undefined where they may. */
export function mismatchOf({ by, found, owner, before, accepted }: DatabaseClaim): IkomaError | undefined {
  const identity = identityText(found);
  if (accepted === identity) return undefined;
  const right = {
    hint: `Correct the URL. If this database is right (it was restored, upgraded or moved, or is a copy), set \`identity: ${identity}\` in \`ikoma:apps.${by.app}.database\`.`,
    details: { identity, ...(before !== undefined && { before }), ...(owner !== undefined && { owner }) },
  };
  if (owner !== undefined && (owner.app !== by.app || owner.environment !== by.environment))
    return new IkomaError(
      "DATABASE_MISMATCH",
      `The URL leads to the database of ${named(owner)}, whose migrations were run there; this is ${named(by)}. Nothing was run.`,
      right,
    );
  if (before === undefined || isSame(before, found)) return undefined;
  return new IkomaError(
    "DATABASE_MISMATCH",
    `The migrations of ${by.app} were run in the database ${before} so far, and the URL leads to ${identity}. Nothing was run.`,
    right,
  );
}

function named({ app, environment }: DatabaseOwner): string {
  return `${app} of the stack ${environment}`;
}

/** A server that does not tell its number is known by the database's name alone. */
function isSame(before: string, { system, name }: DatabaseIdentity): boolean {
  const at = before.indexOf("/");
  const [known, knownName] = [before.slice(0, at), before.slice(at + 1)];
  return knownName === name && (system === undefined || known === "unknown" || known === system);
}
