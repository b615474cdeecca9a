import { IkomaError } from "../../errors.ts";
import type { CloudProject, ManagementApi, ProjectToMake } from "./management-api.ts";
import type { CloudSupabase, NewProject } from "./supabase-config.ts";
import type { SupabaseRun } from "./supabase-mode.ts";

export const healthy = "ACTIVE_HEALTHY";

/** In these a project is on its way, and may be waited for. */
const passing = new Set(["COMING_UP", "RESTORING", "UPGRADING", "RESTARTING", "RESIZING", "UNKNOWN"]);

const pauseMs = 5_000;

/**
 * The project that settings mean; undefined where there is none. One that was made once is known by its ref from then
 * on, for its name may be changed.
 *
 * @throws CONFIG_INVALID where several of the organization have its name
 */
export async function findProject(
  { ref, create }: CloudSupabase,
  api: ManagementApi,
  known: string | undefined,
): Promise<CloudProject | undefined> {
  const meant = ref ?? known;
  if (meant !== undefined) return api.project(meant);
  return create === undefined ? undefined : findByName(create, api);
}

async function findByName(create: NewProject, api: ManagementApi): Promise<CloudProject | undefined> {
  const named = (await api.projects()).filter((each) => isNamed(each, create));
  const [only, other] = named;
  if (other === undefined) return only;
  const refs = named.map((each) => each.ref).join(", ");
  throw new IkomaError(
    "CONFIG_INVALID",
    `The organization ${create.organization} has several "${create.name}": ${refs}.`,
    {
      hint: "Name the right one by `ref`, in place of `create`.",
    },
  );
}

function isNamed(
  { name, organization_slug, status }: CloudProject,
  { name: wanted, organization }: NewProject,
): boolean {
  return name === wanted && organization_slug === organization && status !== "REMOVED";
}

/** Why the project is of no use, also to whoever waits; undefined for one that is well, on its way or to be made. */
export function whyUnavailable(
  { ref = "", create }: CloudSupabase,
  project: CloudProject | undefined,
  known: string | undefined,
): IkomaError | undefined {
  if (project !== undefined) {
    const { status } = project;
    return status === healthy || passing.has(status) ? undefined : unavailable(project.ref, status);
  }
  if (create === undefined) return notShown(ref);
  return known === undefined ? undefined : goneForGood(known, create);
}

/**
 * The project, made where settings say so and healthy.
 *
 * @throws SUPABASE_UNAVAILABLE for one that is not there, paused or broken
 */
export async function ensureProject(
  settings: CloudSupabase,
  found: CloudProject | undefined,
  api: ManagementApi,
  run: SupabaseRun,
): Promise<CloudProject> {
  const project = found ?? (await makeProject(settings, api, run));
  return waitUntilHealthy(project, api, run);
}

async function makeProject(settings: CloudSupabase, api: ManagementApi, run: SupabaseRun): Promise<CloudProject> {
  const { create, ref = "" } = settings;
  if (create === undefined) throw notShown(ref);
  if (run.known !== undefined) throw goneForGood(run.known, create);
  run.tell(`makes the project ${create.name} in ${create.organization}`);
  try {
    return await api.makeProject(bodyOf(create, run));
  } catch (thrown) {
    // The answer may have been lost on its way, and the project be there.
    const made = await findByName(create, api).catch(() => undefined);
    if (made === undefined) throw thrown;
    return made;
  }
}

function notShown(ref: string): IkomaError {
  return new IkomaError("SUPABASE_UNAVAILABLE", `The access token shows no project ${ref}.`, {
    hint: "Correct `supabase.ref`, or give a token of an account that is a member of its organization.",
  });
}

/** Data that is gone is never replaced by an empty database in silence. */
function goneForGood(ref: string, { name }: NewProject): IkomaError {
  return new IkomaError("SUPABASE_UNAVAILABLE", `The project ${ref} ("${name}") is gone, and its data with it.`, {
    hint: "Name the one that takes its place by `ref`, or, to begin with an empty one, give `create` another name.",
  });
}

function bodyOf({ organization, name, region, size, databasePassword }: NewProject, run: SupabaseRun): ProjectToMake {
  return {
    organization_slug: organization,
    name,
    db_pass: run.secrets[databasePassword] ?? "",
    region_selection: { type: "specific", code: region },
    ...(size !== undefined && { desired_instance_size: size }),
  };
}

async function waitUntilHealthy(project: CloudProject, api: ManagementApi, run: SupabaseRun): Promise<CloudProject> {
  const { ref } = project;
  const deadline = run.now() + run.patience.comingUpMs;
  let seen: CloudProject | undefined = project;
  while (seen?.status !== healthy) {
    const status: string = seen?.status ?? "REMOVED";
    if (!passing.has(status) || run.now() >= deadline) throw unavailable(ref, status);
    run.tell(`waits for the project ${ref}: ${status}`);
    await run.pause(pauseMs);
    seen = await api.project(ref);
  }
  return seen;
}

function unavailable(ref: string, status: string): IkomaError {
  const hint =
    status === "INACTIVE"
      ? "It is paused: restore it in Supabase's dashboard, then run this again."
      : "See Supabase's dashboard, then run this again.";
  return new IkomaError("SUPABASE_UNAVAILABLE", `The project ${ref} is ${status}.`, { hint });
}
