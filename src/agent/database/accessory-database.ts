import { IkomaError } from "../../core/errors.ts";
import { labels } from "../engine/containers.ts";
import type { Container, Containers } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";

/** A PostgreSQL server among an app's accessories, and how its own image says to log in to it. */
export interface AccessoryDatabase {
  /** Name of the compose service. */
  readonly service: string;
  readonly containerId: string;
  /** The image as the engine knows it: an id, so that a second container of it is the same server version. */
  readonly imageId: string;
  /** On the accessories' network, as the host reaches it. */
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  /** Undefined where the server was set up without one. */
  readonly password: string | undefined;
}

/**
 * The app's database, where there is but one or `service` names it. User, password and database are read as PostgreSQL's
 * official image does: `POSTGRES_USER`, `POSTGRES_PASSWORD`, `POSTGRES_DB`, each also from a file (`…_FILE`).
 *
 * @throws DATABASE_NOT_FOUND where there is none, several, or the one that is named does not run
 */
export async function findAccessoryDatabase(
  { containers }: { containers: Pick<Containers, "list" | "exec"> },
  app: string,
  service?: string,
): Promise<AccessoryDatabase> {
  const accessories = await containers.list(ownLabels(app, "accessories"));
  const container = chosen(accessories, app, service);
  const name = serviceOf(container);
  if (!container.State.Running) {
    throw new IkomaError(
      "DATABASE_NOT_FOUND",
      `The database ${name} of ${app} does not run (${container.State.Status}).`,
      {
        hint: "See `ikoma drift` and `ikoma deploy apply`, which starts it again.",
      },
    );
  }
  const setting = settingReader(containers, container);
  const user = (await setting("POSTGRES_USER")) ?? "postgres";
  return {
    service: name,
    containerId: container.Id,
    imageId: container.Image,
    address: Object.values(container.NetworkSettings.Networks).find((each) => each.IPAddress !== "")?.IPAddress ?? "",
    port: Number((await setting("PGPORT")) ?? 5432),
    user,
    database: (await setting("POSTGRES_DB")) ?? user,
    password: await setting("POSTGRES_PASSWORD"),
  };
}

/**
 * The same, for whoever changes the schema: Supabase's image has `supabase_admin` as its first user, and what that makes
 * is not the `postgres`'s that Supabase's own tools work as. Both have the same password.
 */
export function asSchemaOwner(database: AccessoryDatabase): AccessoryDatabase {
  return database.user === "supabase_admin" ? { ...database, user: "postgres" } : database;
}

function chosen(accessories: readonly Container[], app: string, service: string | undefined): Container {
  const databases = accessories.filter(isPostgres);
  const named = service === undefined ? databases : databases.filter((each) => serviceOf(each) === service);
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  const found = databases.map(serviceOf).sort().join(", ");
  const what =
    service === undefined
      ? `${app} has ${named.length === 0 ? "no" : "more than one"} PostgreSQL database`
      : `${app} has no PostgreSQL database ${service}`;
  throw new IkomaError(
    "DATABASE_NOT_FOUND",
    `${what} among its accessories${found === "" ? "" : ` (there is ${found})`}.`,
  );
}

/** Images of PostgreSQL and those made from them say where their data is. */
function isPostgres({ Config }: Container): boolean {
  const variables = (Config.Env ?? []).map((each) => each.slice(0, each.indexOf("=")));
  return variables.includes("PGDATA") || /(^|\/)(postgres|postgresql|postgis)([:@]|$)/.test(Config.Image);
}

function serviceOf({ Config }: Container): string {
  return Config.Labels?.[labels.service] ?? "";
}

function settingReader(containers: Pick<Containers, "exec">, { Id, Config }: Container) {
  const environment = new Map(
    (Config.Env ?? []).map((each): [string, string] => {
      const at = each.indexOf("=");
      return [each.slice(0, at), each.slice(at + 1)];
    }),
  );
  return async (name: string): Promise<string | undefined> => {
    const file = environment.get(`${name}_FILE`) ?? "";
    if (file === "") return environment.get(name) === "" ? undefined : environment.get(name);
    const { code, output } = await containers.exec(Id, ["cat", file], AbortSignal.timeout(10_000));
    if (code === 0) return output;
    throw new IkomaError(
      "DATABASE_NOT_FOUND",
      `${name}_FILE of the database names ${file}, which cannot be read there.`,
    );
  };
}
