import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Name and password that a registry with a login accepts, and the line of its password file. */
export const login = {
  username: "ada",
  password: "letmein",
  htpasswd: "ada:$2b$04$cTWtUFaAswMMAJH7VUSGiufud9ak73gsLDAbvhACci5sVNNU4vH4.\n",
} as const;

/** A registry of a test: the real program, on a free loopback port, in a folder of its own. */
export interface LocalRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  address: string;
}

const startTimeoutMs = 20_000;
// Found once: tests may move the cache folder.
const tools = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "ikoma", "tools", "bin");
const programs = ["registry", "docker-registry"];

/** Starts a registry; for tests only. It ends when it is disposed of. */
export async function startLocalRegistry({ withLogin = false } = {}): Promise<LocalRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-registry-"));
  const config = join(folder, "config.json");
  const passwords = join(folder, "htpasswd");
  await writeFile(passwords, login.htpasswd);
  const settings = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "storage") }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:0" },
    ...(withLogin ? { auth: { htpasswd: { realm: "test", path: passwords } } } : {}),
  };
  await writeFile(config, JSON.stringify(settings));
  const started = await startAny(config);
  return {
    address: started.address,
    async [Symbol.asyncDispose]() {
      started.end();
      await started.ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Started {
  address: string;
  end: () => void;
  ended: Promise<unknown>;
}

async function startAny(config: string): Promise<Started> {
  const reasons: unknown[] = [];
  for (const program of programs) {
    try {
      return await start(program, config);
    } catch (reason) {
      reasons.push(reason);
    }
  }
  throw new AggregateError(reasons, "no registry program on PATH: run scripts/setup");
}

async function start(program: string, config: string): Promise<Started> {
  const env = { ...process.env, OTEL_TRACES_EXPORTER: "none", PATH: [tools, process.env.PATH].join(delimiter) };
  const child = spawn(program, ["serve", config], { stdio: ["ignore", "ignore", "pipe"], env });
  const ended = once(child, "close");
  const address = new Promise<string>((resolve, reject) => {
    let log = "";
    const deadline = AbortSignal.timeout(startTimeoutMs);
    deadline.addEventListener("abort", () => {
      reject(new Error(`${program} did not say where it listens:\n${log}`));
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      const [, found] = /listening on (127\.0\.0\.1:\d+)/.exec(log) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.on("error", reject);
    child.on("close", () => {
      reject(new Error(`${program} ended:\n${log}`));
    });
  });
  const end = (): void => void child.kill("SIGTERM");
  try {
    return { address: await address, end, ended };
  } catch (failure) {
    end();
    throw failure;
  }
}
