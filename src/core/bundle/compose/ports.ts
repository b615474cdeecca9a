import type { ComposePort } from "./compose-model.ts";

/** A port of a service, as far as it can be told without values for variables. */
export interface PublishedPort {
  /** As the author wrote it. */
  written: string;
  /** Port in the container; undefined for a range, a variable, or anything else that is not one number. */
  target: number | undefined;
  protocol: string;
  /** Whether a port of the host was asked for; without one Docker picks any. */
  fixed: boolean;
  /** Address of the host that it is bound to. */
  hostAddress: string | undefined;
}

/** Reads a port in any of compose's notations: `3000`, `80:3000`, `127.0.0.1:${P:-80}:3000/tcp`, or the long one. */
export function parsePort(port: ComposePort): PublishedPort {
  if (typeof port !== "object") return parseShort(String(port));
  const { target, published } = port;
  const fixed = published !== undefined && published !== "";
  return {
    written: fixed ? `${published}:${target}` : String(target),
    target: portNumber(String(target)),
    protocol: typeof port.protocol === "string" ? port.protocol : "tcp",
    fixed,
    hostAddress: typeof port.host_ip === "string" ? port.host_ip : undefined,
  };
}

function parseShort(written: string): PublishedPort {
  const [, ports = written, protocol = "tcp"] = /^(.*?)(?:\/([a-z]+))?$/.exec(written) ?? [];
  const parts = splitOutsideBraces(ports);
  const [target = "", published = ""] = parts.toReversed();
  const address = parts.slice(0, -2).join(":");
  return {
    written,
    target: portNumber(target),
    protocol,
    fixed: published !== "",
    hostAddress: address === "" ? undefined : address.replace(/^\[(.*)\]$/, "$1"),
  };
}

/** Splits at colons, but not inside `${P:-80}` or `[::1]`. */
function splitOutsideBraces(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const character of text) {
    if ("{[".includes(character)) depth++;
    if ("}]".includes(character)) depth--;
    const ends = character === ":" && depth === 0;
    if (ends) parts.push(part);
    part = ends ? "" : part + character;
  }
  return [...parts, part];
}

function portNumber(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}
