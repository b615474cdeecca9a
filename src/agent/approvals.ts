import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { IkomaError } from "../core/errors.ts";
import { signedApproval, type SignedApproval } from "../core/policies/approval.ts";
import { writeDurably } from "./durable-file.ts";

/** The newest are kept; approvals of plans that were never applied are of no use after a while. */
const keptPerApp = 100;

/**
 * Approvals of plans, kept beside the app that they are about until whoever applies asks for them. The host believes
 * none of them: they are signed, and whoever reads them checks that.
 */
export class Approvals {
  readonly #folder: string;

  /** @param folder where they are, a folder an app */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async add(app: string, approval: SignedApproval): Promise<void> {
    const folder = join(this.#folder, app);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const hash = createHash("sha256").update(approval.statement).update(approval.signature).digest("hex");
    const names = await this.#names(app);
    if (names.some((name) => name.endsWith(`-${hash}.json`))) return;
    const number = Number(names.at(-1)?.split("-")[0] ?? 0) + 1;
    await writeDurably(join(folder, `${String(number).padStart(15, "0")}-${hash}.json`), JSON.stringify(approval));
    const old = names.slice(0, Math.max(0, names.length + 1 - keptPerApp));
    await Promise.all(old.map((name) => rm(join(folder, name), { force: true })));
  }

  /** The oldest first. */
  async list(app: string): Promise<SignedApproval[]> {
    const names = await this.#names(app);
    return Promise.all(names.map((name) => this.#read(join(this.#folder, app, name))));
  }

  async forget(app: string): Promise<void> {
    await rm(join(this.#folder, app), { recursive: true, force: true });
  }

  async #read(path: string): Promise<SignedApproval> {
    try {
      return signedApproval.parse(JSON.parse(await readFile(path, "utf8")));
    } catch (cause) {
      throw new IkomaError("INTERNAL", `The approval ${path} cannot be read.`, { cause });
    }
  }

  async #names(app: string): Promise<string[]> {
    const names = await readdir(join(this.#folder, app)).catch(() => []);
    return names.filter((name) => /^\d{15}-[0-9a-f]{64}\.json$/.test(name)).sort();
  }
}
