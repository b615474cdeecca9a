/** The resource of `@pulumi/command` that the steps of `ikoma:setup.<host>.prepare` are. */
const commandType = "command:remote:Command";

/** Host and step of such a resource, which is named `<host>/<step>`. */
export function stepOf(urn: string): { host: string; step: string } {
  const name = urn.split("::").slice(3).join("::");
  const end = name.lastIndexOf("/");
  return { host: name.slice(0, Math.max(end, 0)), step: name.slice(end + 1) };
}

/** Whether a URN is that of a step. */
export function isStep(urn: string | undefined): urn is string {
  return urn?.split("::")[2]?.split("$").at(-1) === commandType;
}
