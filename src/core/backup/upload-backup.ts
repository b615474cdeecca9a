import { open } from "node:fs/promises";
import { backupPieceBytes } from "../../agent/protocol/backup-views.ts";
import type { Params } from "../../agent/protocol/methods.ts";
import type { BackupSource } from "./download-backup.ts";

type File = Pick<Params<"backup.write">, "app" | "id" | "file">;

/** Brings a file of a backup to the host, piece by piece; the host holds it against the manifest when all are there. */
export async function uploadBackup(agent: BackupSource, file: File, path: string, signal: AbortSignal): Promise<void> {
  const source = await open(path);
  try {
    const piece = Buffer.alloc(backupPieceBytes);
    for (let offset = 0; ;) {
      signal.throwIfAborted();
      const { bytesRead } = await source.read(piece, 0, piece.length, offset);
      // Also an empty file is there.
      if (bytesRead > 0 || offset === 0)
        await agent.call("backup.write", { ...file, offset, data: piece.toString("base64", 0, bytesRead) });
      offset += bytesRead;
      if (bytesRead === 0) return;
    }
  } finally {
    await source.close();
  }
}
