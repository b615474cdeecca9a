import { IkomaError, type ErrorCode } from "../errors.ts";
import type { HostFacts } from "./host-facts.ts";

/** Something about a host that is not as it should be. */
export interface HostFinding {
  /** A `fault` stands in the way; `installable` ones are put right by `--install`. */
  readonly severity: "fault" | "installable" | "warning";
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

const gibibyte = 1024 ** 3;
const leastDiskBytes = gibibyte;
const comfortableDiskBytes = 5 * gibibyte;
/** Older ones lack what the agent uses (its API is 1.41). */
const oldestEngine = "20.10";
const oldestOs: Readonly<Record<string, string>> = { debian: "12", ubuntu: "22.04" };
const largestSkewMs = 5_000;

/** Everything that is wrong with a host, the worst first. */
export function checkHost(facts: HostFacts, ports: { httpPort: number; httpsPort: number }): HostFinding[] {
  const findings = [
    ...checkEngine(facts),
    ...checkCompose(facts),
    ...checkDisk(facts),
    ...checkPorts(facts, ports),
    ...checkSystem(facts),
    ...checkClock(facts),
  ];
  const order = ["fault", "installable", "warning"];
  return findings.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** The error for what stands in the way; undefined where nothing does. */
export function faultOf(host: string, findings: readonly HostFinding[], mayInstall: boolean): IkomaError | undefined {
  const faults = findings.filter(({ severity }) => severity === "fault" || (severity === "installable" && !mayInstall));
  const [first] = faults;
  if (first === undefined) return undefined;
  const hint = faults.map((fault) => fault.hint).join(" ");
  return new IkomaError(first.code, `${host}: ${faults.map((fault) => fault.message).join(" ")}`, {
    hint,
    details: { findings: faults },
  });
}

function checkEngine({ engine, isRoot }: HostFacts): HostFinding[] {
  switch (engine.state) {
    case "missing":
      return [
        isRoot
          ? unsupported(
              "installable",
              "There is no Docker engine.",
              "Run again with --install, or install Docker Engine 20.10 or newer yourself.",
            )
          : unsupported(
              "fault",
              "There is no Docker engine.",
              "Log in as root and run with --install, or install Docker Engine yourself.",
            ),
      ];
    case "refused":
      return [
        unsupported(
          "fault",
          "This user may not use the Docker engine.",
          "Add the user to the group docker (`usermod -aG docker USER`), or log in as root.",
        ),
      ];
    case "silent":
      return [
        unsupported(
          "fault",
          `The Docker engine does not answer: ${engine.reason}.`,
          "Start it on the host: `systemctl start docker`.",
        ),
      ];
    case "ready":
      if (!isOlder(engine.version, oldestEngine)) return [];
      return [
        unsupported(
          "fault",
          `The Docker engine is ${engine.version}; ${oldestEngine} or newer is needed.`,
          "Upgrade the engine on the host.",
        ),
      ];
  }
}

function checkCompose({ engine, compose, standaloneCompose, isRoot }: HostFacts): HostFinding[] {
  if (engine.state !== "ready" || (compose !== "" && !isOlder(compose, "2"))) return [];
  if (standaloneCompose !== "" && isOlder(standaloneCompose, "2")) {
    return [
      unsupported(
        isRoot ? "installable" : "fault",
        `Compose is version ${standaloneCompose}, which is no longer maintained, reads compose files differently and cannot work on what version 2 has made.`,
        "Run again with --install to put version 2 beside it (`docker compose`), or install the package docker-compose-plugin yourself.",
      ),
    ];
  }
  if (standaloneCompose !== "") return [];
  return [
    warning(
      "HOST_UNSUPPORTED",
      "There is no `docker compose`. The agent brings its own.",
      "With --install it is put there for you as well.",
    ),
  ];
}

function checkDisk({ diskFreeBytes }: HostFacts): HostFinding[] {
  const free = `${(diskFreeBytes / gibibyte).toFixed(1)} GiB are free under /var/lib`;
  const hint = "Free space on the host; `docker system df` shows what its images take.";
  if (diskFreeBytes < leastDiskBytes)
    return [{ severity: "fault", code: "DISK_FULL", message: `Only ${free}; 1 GiB is the least.`, hint }];
  return diskFreeBytes < comfortableDiskBytes ? [warning("DISK_FULL", `Only ${free}.`, hint)] : [];
}

function checkPorts(
  { listening, edgeRuns }: HostFacts,
  { httpPort, httpsPort }: { httpPort: number; httpsPort: number },
): HostFinding[] {
  if (edgeRuns) return [];
  return [httpPort, httpsPort].flatMap((port) => {
    const owner = listening.get(port);
    if (owner === undefined) return [];
    const by = owner === "" ? "something else" : owner;
    const hint = `Stop it, or give the edge another port (\`ikoma:setup\` of the host: ${port === httpPort ? "httpPort" : "httpsPort"}).`;
    return [unsupported("fault", `Port ${port} is taken by ${by}.`, hint)];
  });
}

function checkSystem({ osId, osVersion, osName }: HostFacts): HostFinding[] {
  const oldest = oldestOs[osId];
  if (oldest !== undefined && !isOlder(osVersion, oldest)) return [];
  return [
    warning(
      "HOST_UNSUPPORTED",
      `${osName || "This system"} is not among those that this is made for: Debian 12, Ubuntu 22.04 and newer.`,
      "It may well work.",
    ),
  ];
}

function checkClock({ clockSkewMs }: HostFacts): HostFinding[] {
  if (Math.abs(clockSkewMs) <= largestSkewMs) return [];
  const message = `Its clock is ${(Math.abs(clockSkewMs) / 1000).toFixed(0)} s ${clockSkewMs > 0 ? "ahead of" : "behind"} this machine's.`;
  return [warning("HOST_UNSUPPORTED", message, "Switch time synchronisation on: `timedatectl set-ntp true`.")];
}

function unsupported(severity: HostFinding["severity"], message: string, hint: string): HostFinding {
  return { severity, code: "HOST_UNSUPPORTED", message, hint };
}

function warning(code: ErrorCode, message: string, hint: string): HostFinding {
  return { severity: "warning", code, message, hint };
}

/** Compares dotted versions by their numbers; what is no number at the start of a part counts as 0. */
function isOlder(version: string, than: string): boolean {
  const [left, right] = [version, than].map((each) =>
    each.split(/[.+~-]/).map((part) => Number.parseInt(part, 10) || 0),
  );
  for (const [index, wanted] of (right ?? []).entries()) {
    const part = left?.[index] ?? 0;
    if (part !== wanted) return part < wanted;
  }
  return false;
}
