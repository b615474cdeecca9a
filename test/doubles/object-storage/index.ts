import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * Stands for an S3-compatible storage: PUT and GET of one object, by path, in a bucket that is there. It computes the
 * signature (AWS Signature Version 4) of what really came by itself, and refuses another, a body whose checksum is not
 * the signed one, and a body without a length, with S3's codes. Made from AWS's documentation; not checked against a
 * real storage: everything else that S3 can do, redirects, its answers' other headers.
 */
export class ObjectStorage implements AsyncDisposable {
  readonly bucket = "backups";
  readonly accessKeyId = "AKIAEXAMPLE";
  readonly secret = "a-secret-of-an-access-key";
  readonly region = "eu-west-9";
  /** By key. */
  readonly objects = new Map<string, Buffer>();
  /** What GET gives instead of what is stored. */
  alter: (stored: Buffer) => Buffer = (stored) => stored;
  readonly #server: Server;
  #address = "127.0.0.1";

  constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async start(address = "127.0.0.1"): Promise<void> {
    this.#address = address;
    this.#server.listen(0, address);
    await once(this.#server, "listening");
  }

  get endpoint(): string {
    return `http://${this.#address}:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const [status, body] = this.#answer(request, Buffer.concat(chunks));
    response.writeHead(status, { "content-length": body.length }).end(body);
  }

  #answer(request: IncomingMessage, body: Buffer): [number, Buffer] {
    const refuse = (status: number, code: string): [number, Buffer] => [
      status,
      Buffer.from(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code></Error>`),
    ];
    if (!this.#isSigned(request)) return refuse(403, "SignatureDoesNotMatch");
    const [, bucket, ...key] = (request.url ?? "").split("/").map(decodeURIComponent);
    if (bucket !== this.bucket) return refuse(404, "NoSuchBucket");
    const name = key.join("/");
    if (request.method === "PUT") {
      if (request.headers["content-length"] === undefined) return refuse(411, "MissingContentLength");
      if (sha256(body) !== request.headers["x-amz-content-sha256"]) return refuse(400, "XAmzContentSHA256Mismatch");
      this.objects.set(name, body);
      return [200, Buffer.alloc(0)];
    }
    const stored = this.objects.get(name);
    return stored === undefined ? refuse(404, "NoSuchKey") : [200, this.alter(stored)];
  }

  /** docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
  #isSigned({ method = "", url = "", headers }: IncomingMessage): boolean {
    const given = /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? "",
    );
    const [, credential = "", signed = "", signature = ""] = given ?? [];
    const [id, date = "", region = "", service = ""] = credential.split("/");
    const moment = headers["x-amz-date"];
    if (id !== this.accessKeyId || region !== this.region || service !== "s3" || typeof moment !== "string")
      return false;
    const canonical = [
      method,
      url,
      "",
      ...signed.split(";").map((name) => `${name}:${String(headers[name]).trim()}`),
      "",
      signed,
      String(headers["x-amz-content-sha256"]),
    ].join("\n");
    const scope = `${date}/${region}/s3/aws4_request`;
    const text = ["AWS4-HMAC-SHA256", moment, scope, sha256(Buffer.from(canonical))].join("\n");
    const key = [date, region, "s3", "aws4_request"].reduce<Buffer>(hmac, Buffer.from(`AWS4${this.secret}`));
    return timingSafeEqual(Buffer.from(signature, "hex"), hmac(key, text));
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** One that listens on an address of this machine. */
export async function startStorage(address: string): Promise<ObjectStorage> {
  const storage = new ObjectStorage();
  await storage.start(address);
  return storage;
}
