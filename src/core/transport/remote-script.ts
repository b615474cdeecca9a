/** A word as any Bourne-like shell reads it back, whatever is in it. */
export function shellQuote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * A command line that runs `script` in `sh` with `args` as `$1`, `$2`…, whatever login shell the user has. Values
 * never become part of the script's text. Secrets go to standard input, not here: arguments show up in `ps`.
 */
export function remoteScript(script: string, ...args: readonly string[]): string {
  return ["exec sh -c", shellQuote(script.trim()), "sh", ...args.map(shellQuote)].join(" ");
}
