import type { SshConnection } from "../transport/ssh-connection.ts";
import { runStep } from "./host-commands.ts";

/** What a host is and has, before anything of ours is on it. */
export interface HostFacts {
  /** `debian`, `ubuntu`… of /etc/os-release; empty where there is none. */
  readonly osId: string;
  readonly osVersion: string;
  readonly osName: string;
  readonly isRoot: boolean;
  readonly engine: EngineFacts;
  /** Version of the compose plugin (v2 and later); empty without. */
  readonly compose: string;
  /** Version of a separate `docker-compose`; empty without. */
  readonly standaloneCompose: string;
  readonly diskFreeBytes: number;
  /** TCP ports that something listens on, and what it is where the host tells. */
  readonly listening: ReadonlyMap<number, string>;
  /** Our edge runs: the ports are taken by it. */
  readonly edgeRuns: boolean;
  /** The host's clock minus ours, in ms. */
  readonly clockSkewMs: number;
}

/** The Docker engine, as far as this user gets to it. */
export type EngineFacts =
  | { readonly state: "missing" }
  | { readonly state: "refused" | "silent"; readonly reason: string }
  | { readonly state: "ready"; readonly version: string };

const factsScript = `
say() { printf '%s=%s\\n' "$1" "$(printf '%s' "$2" | tr '\\n' ' ')"; }
[ ! -r /etc/os-release ] || . /etc/os-release
say osId "\${ID-}"; say osVersion "\${VERSION_ID-}"; say osName "\${PRETTY_NAME-}"
say uid "$(id -u)"
say diskFreeKb "$(df -Pk /var/lib | awk 'NR==2 {print $4}')"
say ports "$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4=="0A" {n=split($2,a,":"); print a[n]}' | sort -u)"
say owners "$(command -v ss >/dev/null && ss -Hltnp 2>/dev/null | awk '{print $4, $6}')"
say standaloneCompose "$(command -v docker-compose >/dev/null && docker-compose version --short 2>/dev/null)"
if command -v docker >/dev/null; then
  say engine "$(docker version --format 'version {{.Server.Version}}' 2>&1)"
  say compose "$(docker compose version --short 2>/dev/null)"
  say edge "$(docker inspect --format '{{.State.Running}}' ikoma-edge 2>/dev/null)"
fi
true`;

/** Asks the host for everything in one go. */
export async function readHostFacts(connection: SshConnection): Promise<HostFacts> {
  const clockSkewMs = await readClockSkew(connection);
  return parseHostFacts(await runStep(connection, { step: "look at the host", script: factsScript }), clockSkewMs);
}

/** Seen from here, the host looked at its clock halfway between question and answer. */
async function readClockSkew(connection: SshConnection): Promise<number> {
  const askedMs = Date.now();
  const seconds = await runStep(connection, { step: "read the clock", script: "date +%s.%N" });
  const answeredMs = Date.now();
  return Math.round(Number(seconds) * 1000 - (askedMs + answeredMs) / 2);
}

/** Reads what {@link factsScript} printed. */
export function parseHostFacts(printed: string, clockSkewMs: number): HostFacts {
  const told = new Map<string, string>();
  for (const line of printed.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) told.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const text = (key: string): string => told.get(key) ?? "";
  return {
    osId: text("osId"),
    osVersion: text("osVersion"),
    osName: text("osName"),
    isRoot: text("uid") === "0",
    engine: engineFacts(told.get("engine")),
    compose: text("compose").replace(/^v/, ""),
    standaloneCompose: text("standaloneCompose").replace(/^v/, ""),
    diskFreeBytes: Number(text("diskFreeKb")) * 1024,
    listening: listeningPorts(text("ports"), text("owners")),
    edgeRuns: text("edge") === "true",
    clockSkewMs,
  };
}

function engineFacts(answer: string | undefined): EngineFacts {
  if (answer === undefined) return { state: "missing" };
  const version = /(?:^| )version (\d\S*)/.exec(answer)?.[1];
  if (version !== undefined) return { state: "ready", version };
  return { state: /permission denied/i.test(answer) ? "refused" : "silent", reason: answer };
}

/** `ports` are hexadecimal, of /proc; `owners` are pairs of address and `users:(("nginx",pid=1,fd=6))`, of ss. */
function listeningPorts(ports: string, owners: string): Map<number, string> {
  const found = new Map<number, string>();
  for (const hex of ports.split(" ").filter((each) => each !== "")) found.set(parseInt(hex, 16), "");
  for (const [, port, owner] of owners.matchAll(/:(\d+) users:\(\("([^"]+)"/g)) found.set(Number(port), owner ?? "");
  return found;
}
