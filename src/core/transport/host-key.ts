import { createHash } from "node:crypto";
import type { ServerHostKeyAlgorithm } from "ssh2";
import { IkomaError } from "../errors.ts";

/** Order in which a new host's keys are asked for: the strongest and shortest first. */
export const preferredKeyAlgorithms: ServerHostKeyAlgorithm[] = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
];

/** A server's public key on the wire as the text that is pinned: `ssh-ed25519 AAAA…`. */
export function hostKeyText(key: Buffer): string {
  const typeLength = key.readUInt32BE(0);
  return `${key.toString("latin1", 4, 4 + typeLength)} ${key.toString("base64")}`;
}

/** The fingerprint of a pinned key as `ssh-keygen -l` shows it: `SHA256:…`. */
export function fingerprint(hostKey: string): string {
  const hash = createHash("sha256").update(keyBytes(hostKey)).digest("base64");
  return `SHA256:${hash.replace(/=+$/, "")}`;
}

/** Whether the server's key is the pinned one, byte for byte. */
export function isPinnedKey(hostKey: string, offered: Buffer): boolean {
  return keyBytes(hostKey).equals(offered);
}

/** Algorithms that make a server prove the pinned key, and no other of its keys. */
export function algorithmsOf(hostKey: string): ServerHostKeyAlgorithm[] {
  const type = keyType(hostKey);
  if (type === "ssh-rsa") return ["rsa-sha2-512", "rsa-sha2-256"];
  const algorithm = preferredKeyAlgorithms.find((each) => each === type);
  if (algorithm === undefined)
    throw new IkomaError("CONFIG_INVALID", `hostKey: keys of type ${type} are not supported.`);
  return [algorithm];
}

/** `ssh-ed25519`, `ssh-rsa`… of a pinned key. */
export function keyType(hostKey: string): string {
  return hostKey.split(" ", 1)[0] ?? "";
}

function keyBytes(hostKey: string): Buffer {
  return Buffer.from(hostKey.split(" ")[1] ?? "", "base64");
}
