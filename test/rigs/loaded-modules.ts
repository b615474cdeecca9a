const hook = `
  import { registerHooks } from "node:module";
  import { writeSync } from "node:fs";
  registerHooks({ load(url, context, next) { writeSync(2, "LOADED " + url + "\\n"); return next(url, context); } });`;

/** Argument of Node with which a process tells on standard error what it loads. */
export const tellLoads = `--import=data:text/javascript,${encodeURIComponent(hook)}`;

/** What such a process has loaded: URLs, in order. */
export function loadedIn(stderr: string): string[] {
  return [...stderr.matchAll(/^LOADED (.*)$/gm)].map(([, url = ""]) => url);
}
