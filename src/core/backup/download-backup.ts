import { createHash } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import { backupPieceBytes } from "../../agent/protocol/backup-views.ts";
import type { Method, Params, Result } from "../../agent/protocol/methods.ts";
import { IkomaError } from "../errors.ts";

/** Asks the agent; a client of it, or a stand-in. */
export interface BackupSource {
  call<M extends Method>(method: M, params: Params<M>): Promise<Result<M>>;
}

type File = Pick<Params<"backup.read">, "app" | "id" | "file">;

/** Pieces that are asked for ahead, so that a far host does not make each of them wait for the one before. */
const ahead = 4;

/**
 * Fetches a file of a backup over the connection to the agent. It has its name (0600) only once all of it has come and
 * its checksum is the one that the host took when it was written.
 *
 * @returns its size in bytes
 * @throws BACKUP_UNVERIFIED where what came is something else
 */
export async function downloadBackup(
  agent: BackupSource,
  file: File,
  target: string,
  signal: AbortSignal,
): Promise<number> {
  const partial = `${target}.partial`;
  const ask = (offset: number): Promise<Result<"backup.read">> => {
    const asked = agent.call("backup.read", { ...file, offset });
    // Awaited in its turn; until then its failure must not pass for one that nobody handles.
    asked.catch(() => undefined);
    return asked;
  };
  const output = await open(partial, "w", 0o600);
  try {
    const hash = createHash("sha256");
    const pending = Array.from({ length: ahead }, (_, at) => ask(at * backupPieceBytes));
    let received = 0;
    for (let next = ahead; ; next += 1) {
      signal.throwIfAborted();
      const piece = await (pending.shift() ?? ask(received));
      const data = Buffer.from(piece.data, "base64");
      hash.update(data);
      await output.writeFile(data);
      received += data.length;
      if (received < piece.bytes && data.length > 0) {
        if (next * backupPieceBytes < piece.bytes) pending.push(ask(next * backupPieceBytes));
        continue;
      }
      requireWhole(file, piece, { bytes: received, sha256: hash.digest("hex") });
      await output.sync();
      await rename(partial, target);
      return received;
    }
  } finally {
    await output.close();
    await rm(partial, { force: true });
  }
}

function requireWhole(
  { id }: File,
  wanted: { bytes: number; sha256: string },
  found: { bytes: number; sha256: string },
): void {
  if (wanted.bytes === found.bytes && wanted.sha256 === found.sha256) return;
  throw new IkomaError(
    "BACKUP_UNVERIFIED",
    `What came of the backup ${id} (${found.bytes} of ${wanted.bytes} bytes) is not what was written: its checksum is another.`,
    { hint: "Find out with `ikoma backup verify` whether the file on the host is right. Nothing was left here." },
  );
}
