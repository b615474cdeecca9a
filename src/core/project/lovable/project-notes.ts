import type { LovableProject, ProjectNote } from "./lovable-project.ts";

type Facts = Pick<
  LovableProject,
  | "buildVariables"
  | "environmentFiles"
  | "generation"
  | "install"
  | "nested"
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

function hostNotes({ sourceHosts }: Facts): ProjectNote[] {
  return sourceHosts.map(({ host, file }) => ({
    level: "warning",
    text: `${file} has the backend ${host} written into it: no variable changes that. To stay with it: --backend ${host}; else edit the file.`,
  }));
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
