import { spawn } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import type { Vps } from "../../lab/index.ts";
import { registryAddress } from "../../lab/registry-address.ts";

/** How a command of a document ended. */
export interface Followed {
  readonly exitCode: number | null;
  /** Standard output and error, as on a terminal. */
  readonly output: string;
}

/** What the documents call the reader's server and registry. */
const addressInDocuments = "203.0.113.10";
const registryInDocuments = "registry.example.com";
const deadlineMs = 90_000;

/**
 * Commands that reach the documents' addresses find the lab's instead; the text that is run stays the document's own.
 * ssh takes its files from the account's home, whatever HOME says.
 */
const prelude = `set -euo pipefail
in_lab() {
  local word words=()
  for word in "$@"; do
    word=\${word//${addressInDocuments}/$LAB_ADDRESS}
    words+=("\${word//${registryInDocuments}/$LAB_REGISTRY}")
  done
  command "\${words[@]}"
}
ikoma() { in_lab ikoma "$@"; }
docker() { in_lab docker "$@"; }
ssh() { command ssh -i "$HOME/.ssh/id_ed25519" -o UserKnownHostsFile="$HOME/.ssh/known_hosts" -o BatchMode=yes "$@"; }
`;

/** What a terminal is asked before a prompt is drawn (its colour, where its cursor is), and answers by itself. */
const terminalQuestion = "\u001B[6n";
const terminalAnswer = "\u001B]11;rgb:0000/0000/0000\u001B\\\u001B[1;1R";

/** Questions that commands ask on a terminal, and what this reader answers. */
const answers: readonly [question: RegExp, answer: string][] = [
  [/\[y\/N\] $/, "y\r"],
  [/value:\s*$/, "correct horse battery staple\r"],
];

/** Somebody who follows a document on a machine of his own: a home, a folder, a terminal. */
export class Reader implements AsyncDisposable {
  readonly home: string;
  readonly folder: string;
  readonly #environment: Record<string, string>;
  /** Lines that every later command's shell begins with. */
  readonly #exports: string[] = [];

  private constructor(home: string, vps: Vps) {
    this.home = home;
    this.folder = join(home, "shop");
    this.#environment = {
      HOME: home,
      LANG: "C.UTF-8",
      // Nobody is asked anything on a dumb one.
      TERM: "xterm",
      NO_COLOR: "1",
      PATH: process.env["PATH"] ?? "",
      // Where the reader's docker has buildx.
      DOCKER_CONFIG: process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker"),
      XDG_CACHE_HOME: process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
      // `file://~` is the account's home, whatever HOME says.
      PULUMI_BACKEND_URL: `file://${home}`,
      PULUMI_HOME: join(home, ".pulumi"),
      LAB_ADDRESS: vps.address,
      LAB_REGISTRY: registryAddress,
    };
  }

  static async create(vps: Vps): Promise<Reader> {
    const reader = new Reader(await mkdtemp(join(tmpdir(), "ikoma-reader-")), vps);
    await mkdir(reader.folder);
    await mkdir(join(reader.home, ".ssh"), { mode: 0o700 });
    await copyFile(vps.identityFile, join(reader.home, ".ssh/id_ed25519"));
    await reader.knows(vps.address, vps.hostPublicKey);
    await writeFile(join(reader.home, ".ikoma-passphrase"), "for the test\n", { mode: 0o600 });
    return reader;
  }

  /** Puts a server's key where ssh looks for it. */
  async knows(address: string, hostKey: string): Promise<void> {
    await writeFile(join(this.home, ".ssh/known_hosts"), `${address} ${hostKey}\n`);
  }

  /** From now on every command finds what these lines set. */
  exports(line: string, folder = this.folder): void {
    this.#exports.push(`cd '${folder}'`, line, `cd '${this.folder}'`);
  }

  /** Runs shell commands on a terminal and answers their questions. */
  follow(text: string, folder = this.folder): Promise<Followed> {
    const script = [prelude, ...this.#exports, `cd '${folder}'`, text].join("\n");
    // `script` gives it a terminal: without one nothing is asked.
    const child = spawn("script", ["--quiet", "--return", "--flush", "--command", 'bash -c "$SCRIPT"', "/dev/null"], {
      env: { ...this.#environment, SHELL: "/bin/bash", SCRIPT: script },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
    let output = "";
    let answered = 0;
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      if (chunk.includes(terminalQuestion)) child.stdin.write(terminalAnswer);
      output += stripVTControlCharacters(chunk);
      const question = answers.find(([pattern]) => pattern.test(output.slice(answered)));
      if (question === undefined) return;
      answered = output.length;
      child.stdin.write(question[1]);
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode) => {
        clearTimeout(timer);
        resolve({ exitCode, output });
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
