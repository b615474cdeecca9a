import { createReadStream } from "node:fs";
import { Encrypter } from "age-encryption";
import { writeStream } from "../file-hash.ts";
import type { StoredObject } from "./object-store.ts";

/** Encrypts a file with age for one recipient into another, piece by piece. Whoever holds the identity alone can read it. */
export async function encryptFile(source: string, target: string, recipient: string): Promise<StoredObject> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const encrypted = await encrypter.encrypt(ReadableStream.from(createReadStream(source) as AsyncIterable<Uint8Array>));
  return { path: target, ...hashed(await writeStream(target, asBuffers(encrypted))) };
}

function hashed({ bytes, sha256 }: { bytes: number; sha256: string }): { bytes: number; sha256: string } {
  return { bytes, sha256 };
}

async function* asBuffers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of source) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
