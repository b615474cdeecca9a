/** What a line of a log gives away. `variable`: its name, where one is missing. `subject`: host, file, command… */
export interface LogFinding {
  readonly id: LogCauseId;
  /** The line, or the part of it that says so. */
  readonly line: string;
  readonly subject?: string | undefined;
}

/** Causes that can be read from a log, the surest first. */
const logPatterns = [
  { id: "wrong-architecture", patterns: [/exec format error/i] },
  { id: "heap-exhausted", patterns: [/JavaScript heap out of memory|MemoryError\b|fatal error: out of memory/] },
  {
    id: "variable-missing",
    patterns: [
      /missing (?:required )?(?:environment )?variables?:? ["'`]?(?<subject>[A-Z][A-Z0-9_]{2,})/i,
      /environment variable not found: ["'`]?(?<subject>[A-Z][A-Z0-9_]{2,})/i,
      /required key (?<subject>[A-Z][A-Z0-9_]{2,}) missing value/,
      /KeyError: '(?<subject>[A-Z][A-Z0-9_]{2,})'/,
      /["'`]?(?<subject>[A-Z][A-Z0-9_]*_[A-Z0-9_]+|PORT|HOST|SECRET|TOKEN)["'`]?(?: environment variable| variable| env var)?(?:,)? (?:is|was|are) (?:not set|not defined|undefined|missing|required|unset|empty)/,
      /["'`]?(?<subject>[A-Z][A-Z0-9_]*_[A-Z0-9_]+)["'`]?(?: environment variable)? (?:must be set|must be provided|needs to be set|has to be set|must be defined|cannot be empty)/,
      /(?:set|provide|define|specify) (?:the )?(?:environment variable |env var )?["'`]?(?<subject>[A-Z][A-Z0-9_]*_[A-Z0-9_]+)["'`]?(?: environment variable)?(?: to| in| before|\.|$)/,
      /\b(?<subject>[A-Z][A-Z0-9_]*_[A-Z0-9_]+): (?:Required|Invalid input: expected \w+, received undefined|parameter null or not set|parameter not set)/,
      /\bundefined variable:? ["'`]?(?<subject>[A-Z][A-Z0-9_]*_[A-Z0-9_]+)/i,
      /path: \[ ?['"](?<subject>[A-Z][A-Z0-9_]*_[A-Z0-9_]+)['"] ?\]/,
    ],
  },
  {
    id: "database-login",
    patterns: [
      /password authentication failed for user "?(?<subject>[^\s"]+)/,
      /Authentication failed against(?: the)? database server/,
      /\bAccess denied for user '?(?<subject>[^\s'@]+)/,
      /no pg_hba\.conf entry for host/,
      /SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string/,
    ],
  },
  {
    id: "database-missing",
    patterns: [/database "(?<subject>[^"]+)" does not exist/, /Unknown database '(?<subject>[^']+)'/],
  },
  {
    id: "schema-missing",
    patterns: [/relation "(?<subject>[^"]+)" does not exist/, /The table `(?<subject>[^`]+)` does not exist/],
  },
  {
    id: "host-unknown",
    patterns: [
      /getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?<subject>[\w.-]+)/,
      /could not translate host name "(?<subject>[^"]+)"/,
      /lookup (?<subject>[\w.-]+)(?: on [\d.:]+)?: (?:no such host|server misbehaving|Temporary failure)/,
      /failed to resolve host '(?<subject>[^']+)'/,
      /(?:Name or service not known|Temporary failure in name resolution)/,
    ],
  },
  {
    id: "cannot-connect",
    patterns: [
      /Can't reach database server at [`"']?(?<subject>[\w.-]+:?`?:?`?\d*)/,
      /connect(?:ion)? (?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH) (?<subject>[\d.a-f:]+:\d+)/,
      /connection to server at "(?<subject>[^"]+)".* failed/,
      /dial tcp (?<subject>[\d.[\]a-f:]+): (?:connect: connection refused|i\/o timeout|connect: no route to host)/,
      /could not connect to server: (?:Connection refused|Connection timed out)/,
      /Error \d* ?connecting to (?<subject>[\w.-]+:\d+)/i,
    ],
  },
  {
    id: "port-in-use",
    patterns: [
      /EADDRINUSE:? (?:address already in use )?(?<subject>\S+)/,
      /listen tcp (?<subject>\S+): bind: address already in use/,
      /address already in use/i,
      /port is already allocated/,
    ],
  },
  {
    id: "module-missing",
    patterns: [
      /Cannot find (?:module|package) '(?<subject>[^']+)'/,
      /ModuleNotFoundError: No module named '(?<subject>[^']+)'/,
      /error while loading shared libraries: (?<subject>\S+):/,
    ],
  },
  {
    id: "command-missing",
    patterns: [
      /exec: "(?<subject>[^"]+)": (?:executable file not found|stat \S+: no such file)/,
      /exec (?<subject>\S+): no such file or directory/,
      /(?:^|: )(?:\d+: |line \d+: )?(?<subject>[\w./-]+): (?:command )?not found\s*$/,
    ],
  },
  {
    id: "permission",
    patterns: [
      /EACCES: permission denied, \w+ '(?<subject>[^']+)'/,
      /PermissionError: .*Permission denied: '(?<subject>[^']+)'/,
      /listen EACCES:? (?:permission denied )?(?<subject>\S+)/,
      /exec: "(?<subject>[^"]+)": permission denied/,
      /(?:open|mkdir|exec) (?<subject>\S+): permission denied/,
      /(?<subject>\/\S+): Permission denied/,
      /permission denied/i,
    ],
  },
] as const satisfies readonly { id: string; patterns: readonly RegExp[] }[];

/** Name of a cause that a log can give away. */
export type LogCauseId = (typeof logPatterns)[number]["id"];

/** All causes that the lines give away, the surest first; of each the last line that says so. */
export function findingsIn(lines: readonly string[]): LogFinding[] {
  return logPatterns.flatMap(({ id, patterns }) => {
    const findings = lines.flatMap((line): LogFinding[] => {
      const match = firstMatch(line, patterns);
      return match === undefined ? [] : [{ id, line: line.trim(), subject: match.groups?.["subject"] }];
    });
    // A missing variable is told by name, each its own; of all else one line is enough.
    return id === "variable-missing" ? bySubject(findings) : findings.slice(-1);
  });
}

function firstMatch(line: string, patterns: readonly RegExp[]): RegExpExecArray | undefined {
  for (const pattern of patterns) {
    const match = pattern.exec(line);
    if (match !== null) return match;
  }
  return undefined;
}

function bySubject(findings: readonly LogFinding[]): LogFinding[] {
  return [...new Map(findings.map((each) => [each.subject, each])).values()];
}
