import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { canonicalJson } from "../../core/canonical-json.ts";
import { syncToDisk } from "../durable-file.ts";

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Seals what the ledger keeps of secrets (AES-256-GCM) and makes keyed digests (HMAC-SHA-256), both with
 * a key that never leaves the host: a copied ledger gives nothing away, and a digest cannot be guessed at.
 */
export class Vault {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    if (key.length !== keyBytes) throw new Error(`a host key has ${keyBytes} bytes, this one ${key.length}`);
    this.#key = key;
  }

  /** Opens the host's key file, making it (0600) on first use. */
  static open(path: string): Vault {
    if (!existsSync(path)) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      // Under another name until it is whole: half a key would stop every later start.
      const unfinished = `${path}.new`;
      rmSync(unfinished, { force: true });
      const file = openSync(unfinished, "wx", 0o600);
      writeSync(file, randomBytes(keyBytes));
      fsyncSync(file);
      closeSync(file);
      renameSync(unfinished, path);
      syncToDisk(dirname(path));
    }
    return new Vault(readFileSync(path));
  }

  seal(value: unknown): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    const body = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), body]);
  }

  /** Throws where the bytes were altered or sealed with another key. */
  unseal(sealed: Uint8Array): unknown {
    const bytes = Buffer.from(sealed);
    const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, nonceBytes));
    decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
    const body = Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]);
    return JSON.parse(body.toString("utf8"));
  }

  /** Whether these bytes are whole and were sealed with this key. */
  canUnseal(sealed: Uint8Array): boolean {
    try {
      this.unseal(sealed);
      return true;
    } catch {
      return false;
    }
  }

  /** Equal for equal values on this host only; 64 hex digits. */
  keyedDigest(value: unknown): string {
    return createHmac("sha256", this.#key).update(canonicalJson(value)).digest("hex");
  }
}
