import type { LovableProject, ProjectNote } from "./lovable-project.ts";
import { readDockerfile } from "./own-dockerfile.ts";

type Facts = Pick<
  LovableProject,
  | "buildVariables"
  | "environmentFiles"
  | "generation"
  | "install"
  | "nested"
  | "ownFiles"
  | "runVariables"
  | "shape"
  | "sourceHosts"
  | "supabase"
>;

/** What the person should know of a project before its image is made, the gravest first. */
export function projectNotes(facts: Facts): ProjectNote[] {
  return [
    ...facts.environmentFiles.flatMap(secretNotes),
    ...facts.environmentFiles.flatMap(backendNotes),
    ...hostNotes(facts),
    ...dockerfileNotes(facts),
    ...installNotes(facts),
    ...supabaseNotes(facts),
    ...nestedNotes(facts),
  ];
}

function secretNotes({ name, isTracked, secrets }: LovableProject["environmentFiles"][number]): ProjectNote[] {
  if (secrets.length === 0 || isTracked === false) return [];
  const list = secrets.map((each) => `${each.name} (${each.reason})`).join(", ");
  const where = isTracked === true ? "is committed, so everybody with the repository has" : "holds";
  const next =
    "Make new keys where they come from, take the file out of Git, and give them with `pulumi config set --secret`.";
  return [{ level: "warning", text: `SECRETS IN ${name}: it ${where} ${list}. ${next}` }];
}

function backendNotes({ name, supabaseHosts }: LovableProject["environmentFiles"][number]): ProjectNote[] {
  if (supabaseHosts.length === 0) return [];
  const next = `To stay with that backend: --values ${name}.`;
  return [
    {
      level: "info",
      text: `${name} names the backend ${supabaseHosts.join(", ")}; the build does not read it. ${next}`,
    },
  ];
}

function hostNotes({ sourceHosts, ownFiles }: Facts): ProjectNote[] {
  return sourceHosts.map(({ host, file }) => {
    const text = `${file} has the backend ${host} written into it.`;
    const next = `If it is still in what was built, there is no image: edit the file; or, to stay with it, --backend ${host}.`;
    return { level: "warning", text: isSearched(ownFiles) ? `${text} ${next}` : text };
  });
}

function dockerfileNotes({ ownFiles }: Facts): ProjectNote[] {
  if (isSearched(ownFiles)) return [];
  const text = "What the project's own Dockerfile makes is not searched for other backends and secret keys.";
  return [{ level: "info", text }];
}

/** A Dockerfile of `ikoma project write` searches what it built; another one does not know these names. */
function isSearched({ dockerfile }: LovableProject["ownFiles"]): boolean {
  return dockerfile === undefined || readDockerfile(dockerfile).args.has("BACKENDS");
}

function installNotes({ install: { isExact, reason, tool, ignored } }: Facts): ProjectNote[] {
  const text = `Not used for the install: ${ignored.join(", ")}.`;
  const others: ProjectNote[] = ignored.length === 0 ? [] : [{ level: "info", text }];
  if (isExact) return others;
  const next = `\`${tool} install\` and a commit of its lock file ends that.`;
  const stale = `${reason}: versions are resolved anew, and two builds may differ. ${next}`;
  return [{ level: "warning", text: stale }, ...others];
}

function supabaseNotes({ supabase: { functions, migrations } }: Facts): ProjectNote[] {
  const parts = [
    ...(functions > 0 ? [`${functions} edge functions, which stay with Supabase`] : []),
    ...(migrations > 0 ? [`${migrations} migrations, which are run only where compose.yaml names their folder`] : []),
  ];
  return parts.length === 0 ? [] : [{ level: "info", text: `supabase/ has ${parts.join(" and ")}.` }];
}

function nestedNotes({ nested }: Facts): ProjectNote[] {
  if (nested.length === 0) return [];
  return [{ level: "info", text: `Not part of the image as apps of their own: ${nested.join(", ")}.` }];
}
