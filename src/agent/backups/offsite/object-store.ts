import { createReadStream } from "node:fs";
import { request as requestHttp } from "node:http";
import type { IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import { pipeline } from "node:stream/promises";
import { AwsV4Signer } from "aws4fetch";
import type { OffsitePolicy } from "../../../core/backup/backup-policy.ts";

/** A file that is to be stored. */
export interface StoredObject {
  readonly path: string;
  readonly bytes: number;
  /** Hex digits. */
  readonly sha256: string;
}

const silentMs = 60_000;
/** Of nothing. */
const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const longestAnswer = 2_000;

/** An S3-compatible storage: objects are written and read, nothing else. Requests are signed and stream from and to disk. */
export class ObjectStore {
  readonly #policy: OffsitePolicy;
  readonly #secret: string;

  constructor(policy: OffsitePolicy, secret: string) {
    this.#policy = policy;
    this.#secret = secret;
  }

  /** The storage compares the checksum itself, and so refuses what was altered on the way. */
  async put(key: string, { path, bytes, sha256 }: StoredObject): Promise<void> {
    await textOf(await this.#send("PUT", key, sha256, { path, bytes }));
  }

  /** What is stored, piece by piece. */
  async get(key: string): Promise<AsyncIterable<Buffer>> {
    return (await this.#send("GET", key, emptySha256)) as AsyncIterable<Buffer>;
  }

  async #send(
    method: "GET" | "PUT",
    key: string,
    sha256: string,
    body?: { path: string; bytes: number },
  ): Promise<IncomingMessage> {
    const { endpoint, bucket, region, accessKeyId } = this.#policy;
    const path = [bucket, ...key.split("/")].map(encodeURIComponent).join("/");
    const signer = new AwsV4Signer({
      ...{ method, region, accessKeyId, secretAccessKey: this.#secret, service: "s3" },
      url: `${endpoint.replace(/\/+$/, "")}/${path}`,
      headers: { "x-amz-content-sha256": sha256 },
    });
    const { url, headers } = await signer.sign();
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const length = body === undefined ? {} : { "content-length": body.bytes };
    const outgoing = send(url, { method, headers: { ...Object.fromEntries(headers), ...length }, timeout: silentMs });
    outgoing.on("timeout", () => outgoing.destroy(new Error("the storage says nothing")));
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.on("response", resolve).on("error", reject);
    });
    if (body === undefined) outgoing.end();
    // A storage that refuses early answers before all is sent: its answer says more than the broken connection.
    else pipeline(createReadStream(body.path), outgoing).catch(() => undefined);
    const answer = await answered;
    if (answer.statusCode === 200) return answer;
    throw new Error(`the storage answers ${answer.statusCode ?? 0} to ${method} ${key}: ${await textOf(answer)}`);
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of answer) if (text.length < longestAnswer) text += (chunk as Buffer).toString("utf8");
  return text.slice(0, longestAnswer).trim();
}
