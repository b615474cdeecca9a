/** Whether this runs in CI, by the variable that such services set (`CI=true`); somebody may have set it to `false` or `0`. */
export function isCi(env: NodeJS.ProcessEnv = process.env): boolean {
  return !["", "false", "0"].includes(env.CI ?? "");
}
