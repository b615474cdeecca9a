import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backupPieceBytes } from "../../agent/protocol/backup-views.ts";
import type { Params } from "../../agent/protocol/methods.ts";
import { downloadBackup } from "./download-backup.ts";
import type { BackupSource } from "./download-backup.ts";

let folder: string;
const signal = new AbortController().signal;
const file = { app: "shop", id: "20261126T030000Z-4f2a1b", file: "dump" } as const;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-download-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** An agent that has this file, and says that it was written as `written`. */
function hostWith(content: Buffer, written = content): BackupSource {
  const whole = { bytes: written.length, sha256: createHash("sha256").update(written).digest("hex") };
  return {
    call: (_method, params) => {
      const { offset } = params as Params<"backup.read">;
      const data = content.subarray(offset, offset + backupPieceBytes).toString("base64");
      return Promise.resolve({ ...whole, data } as never);
    },
  };
}

test.each([0, 1, backupPieceBytes, backupPieceBytes + 1, 9 * backupPieceBytes + 7])(
  "%p bytes arrive as they are",
  async (length) => {
    const content = randomBytes(length);
    const target = join(folder, "shop.dump");
    expect(await downloadBackup(hostWith(content), file, target, signal)).toBe(length);
    expect((await readFile(target)).equals(content)).toBe(true);
    expect((await stat(target)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["shop.dump"]);
  },
);

test("what is not what was written is refused, and nothing is left", async () => {
  const written = randomBytes(3 * backupPieceBytes);
  const flipped = Buffer.from(written);
  flipped.writeUInt8(flipped.readUInt8(5) ^ 1, 5);
  for (const content of [flipped, written.subarray(0, -1)]) {
    const downloading = downloadBackup(hostWith(content, written), file, join(folder, "shop.dump"), signal);
    await expect(downloading).rejects.toMatchObject({ code: "BACKUP_UNVERIFIED" });
    expect(await readdir(folder)).toEqual([]);
  }
});
