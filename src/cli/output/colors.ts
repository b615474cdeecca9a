import picocolors from "picocolors";

/** The functions that colour a text, or leave it as it is. */
export type Colors = ReturnType<typeof picocolors.createColors>;

/** What the decision hangs on; a stream of `process`, or a stand-in. */
export interface ColorTarget {
  readonly isTTY?: boolean | undefined;
}

/**
 * Whether colours belong on a stream. Unlike picocolors' own answer it is given per stream (stdout may be
 * piped while stderr is the terminal), and CI alone does not switch colours on.
 *
 * `--no-color` and NO_COLOR (any value but empty, https://no-color.org) win over FORCE_COLOR, which wins over TERM=dumb.
 */
export function wantsColor(target: ColorTarget, env: NodeJS.ProcessEnv, flag?: boolean): boolean {
  if (flag === false) return false;
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return target.isTTY === true && env.TERM !== "dumb";
}

/** Colours for a stream, by the environment and the flag `--no-color`. */
export function colorsFor(target: ColorTarget, argv: { readonly color?: boolean | undefined } = {}): Colors {
  return picocolors.createColors(wantsColor(target, process.env, argv.color));
}
