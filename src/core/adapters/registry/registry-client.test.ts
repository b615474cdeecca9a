import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { createServer as createSocketServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { parseImageReference } from "./image-reference.ts";
import { login, startLocalRegistry } from "../../../../test/rigs/registry.ts";
import type { LocalRegistry } from "../../../../test/rigs/registry.ts";
import { RegistryClient } from "./registry-client.ts";

const dockerConfig = process.env.DOCKER_CONFIG;
let folder = "";
let registry: LocalRegistry;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-client-"));
  process.env.DOCKER_CONFIG = folder;
  registry = await startLocalRegistry();
});

afterAll(async () => {
  if (dockerConfig === undefined) delete process.env.DOCKER_CONFIG;
  else process.env.DOCKER_CONFIG = dockerConfig;
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const sha256 = (content: string): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const indexType = "application/vnd.oci.image.index.v1+json";

/** Pushes a tiny image, and an index around it. */
async function pushImage(client: RegistryClient, name: string): Promise<{ image: string; index: string }> {
  const reference = parseImageReference(name);
  await client.putBlob(reference, Buffer.from("{}"));
  const descriptor = { mediaType: "application/vnd.oci.image.config.v1+json", digest: sha256("{}"), size: 2 };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: descriptor, layers: [] });
  const image = await client.putManifest(parseImageReference(`${name}-amd64`), manifestType, Buffer.from(manifest));
  const platform = { architecture: "amd64", os: "linux" };
  const manifests = [{ mediaType: manifestType, digest: image, size: manifest.length, platform }];
  const index = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
  return { image, index: await client.putManifest(reference, indexType, Buffer.from(index)) };
}

test("a tag of an image for several platforms stands for its index", async () => {
  const client = new RegistryClient();
  const name = `${registry.address}/team/shop:v1`;
  const pushed = await pushImage(client, name);
  await expect(client.resolveDigest(parseImageReference(name))).resolves.toBe(pushed.index);
  await expect(client.resolveDigest(parseImageReference(`${name}-amd64`))).resolves.toBe(pushed.image);
  const stored = await client.manifest(parseImageReference(`${registry.address}/team/shop@${pushed.index}`));
  expect(stored).toMatchObject({ digest: pushed.index, mediaType: indexType });
  const blob = await client.blob(parseImageReference(name), sha256("{}"));
  expect(Buffer.from(blob).toString()).toBe("{}");
});

test("what is not there is IMAGE_NOT_FOUND", async () => {
  const missing = new RegistryClient().resolveDigest(parseImageReference(`${registry.address}/team/none:v9`));
  await expect(missing).rejects.toMatchObject({
    code: "IMAGE_NOT_FOUND",
    message: expect.stringContaining("team/none:v9"),
  });
});

test("a mirror is asked in the registry's stead", async () => {
  const plain = new RegistryClient();
  const pushed = await pushImage(plain, `${registry.address}/library/postgres:15`);
  const client = new RegistryClient({ mirrors: { "docker.io": `http://${registry.address}` } });
  await expect(client.resolveDigest(parseImageReference("postgres:15"))).resolves.toBe(pushed.index);
});

test("a registry with a password needs the one of docker login", async () => {
  await using closed = await startLocalRegistry({ withLogin: true });
  const name = `${closed.address}/shop:v1`;
  await rm(join(folder, "config.json"), { force: true });
  await expect(pushImage(new RegistryClient(), name)).rejects.toMatchObject({ code: "REGISTRY_AUTH" });
  const auth = (password: string): string => Buffer.from(`${login.username}:${password}`).toString("base64");
  const write = (password: string): Promise<void> => {
    return writeFile(
      join(folder, "config.json"),
      JSON.stringify({ auths: { [closed.address]: { auth: auth(password) } } }),
    );
  };
  await write("wrong");
  await expect(pushImage(new RegistryClient(), name)).rejects.toMatchObject({ code: "REGISTRY_AUTH" });
  await write(login.password);
  const pushed = await pushImage(new RegistryClient(), name);
  await expect(new RegistryClient().resolveDigest(parseImageReference(name))).resolves.toBe(pushed.index);
});

test("a registry whose address could be written shorter gets its password with uploads as well", async () => {
  await using closed = await startLocalRegistry({ withLogin: true });
  const address = closed.address.replace("127.0.0.1", "LocalHost");
  const auth = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  await writeFile(join(folder, "config.json"), JSON.stringify({ auths: { [address]: { auth } } }));
  const client = new RegistryClient({ plainHttp: true });
  const pushed = await pushImage(client, `${address}/shop:v1`);
  await expect(client.resolveDigest(parseImageReference(`${address}/shop:v1`))).resolves.toBe(pushed.index);
});

/** A server of its own on a free port, ended with the block, whoever is still connected. */
async function serve(server: Server): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0);
  await once(server, "listening");
  const close = async (): Promise<void> => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close };
}

test("a token is fetched once per repository and sent with each request", async () => {
  const requests: string[] = [];
  const answer: RequestListener = (request, response) => {
    const { url = "", method = "", headers } = request;
    requests.push(`${method} ${url.replace(/\?.*/, "")} ${headers.authorization ?? "-"}`);
    if (url.startsWith("/token")) response.end(JSON.stringify({ token: "t1" }));
    else if (headers.authorization === "Bearer t1") response.setHeader("docker-content-digest", sha256("m")).end();
    else {
      const realm = `http://${headers.host ?? ""}/token`;
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s"` }).end();
    }
  };
  await using server = await serve(createServer(answer));
  const client = new RegistryClient();
  for (const tag of ["v1", "v2"]) {
    const digest = await client.resolveDigest(parseImageReference(`localhost:${server.port}/shop:${tag}`));
    expect(digest).toBe(sha256("m"));
  }
  expect(requests).toEqual([
    "HEAD /v2/shop/manifests/v1 -",
    "GET /token -",
    "HEAD /v2/shop/manifests/v1 Bearer t1",
    "HEAD /v2/shop/manifests/v2 Bearer t1",
  ]);
});

test("a registry that does not answer is given up after the time-out", async () => {
  await using silent = await serve(createSocketServer());
  const startedMs = performance.now();
  const asked = new RegistryClient({ timeoutMs: 200 }).resolveDigest(
    parseImageReference(`127.0.0.1:${silent.port}/shop:v1`),
  );
  await expect(asked).rejects.toMatchObject({
    code: "REGISTRY_UNREACHABLE",
    message: expect.stringContaining("within 0.2 s"),
  });
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});

test("a registry that is not there is unreachable, with the reason", async () => {
  const port = await (async () => {
    await using gone = await serve(createSocketServer());
    return gone.port;
  })();
  const asked = new RegistryClient().resolveDigest(parseImageReference(`127.0.0.1:${port}/shop:v1`));
  await expect(asked).rejects.toMatchObject({
    code: "REGISTRY_UNREACHABLE",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test("content that does not have its digest is refused", async () => {
  await using liar = await serve(createServer((_request, response) => response.end("changed")));
  const reference = parseImageReference(`127.0.0.1:${liar.port}/shop@${sha256("original")}`);
  const details = { expectedDigest: sha256("original") };
  await expect(new RegistryClient().manifest(reference)).rejects.toMatchObject({
    code: "REGISTRY_UNREACHABLE",
    details,
  });
  await expect(new RegistryClient().blob(reference, sha256("original"))).rejects.toMatchObject({ details });
});

test("an endless answer is cut off", async () => {
  await using endless = await serve(createServer((_request, response) => response.end(Buffer.alloc(5 * 1024 * 1024))));
  const reference = parseImageReference(`127.0.0.1:${endless.port}/shop:v1`);
  await expect(new RegistryClient().manifest(reference)).rejects.toThrow("larger than 4194304 bytes");
});

const privateAddress = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(
    ({ family, address }) => family === "IPv4" && /^(10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(address),
  )?.address;
const testWithPrivateAddress = privateAddress === undefined ? test.skip : test;

testWithPrivateAddress("a registry at a private address that has no TLS is read, but not logged in to", async () => {
  let challenge = false;
  const answer: RequestListener = (_request, response) => {
    if (challenge) response.writeHead(401, { "www-authenticate": "Basic" }).end();
    else response.setHeader("docker-content-digest", sha256("m")).end();
  };
  await using server = await serve(createServer(answer));
  const reference = parseImageReference(`${privateAddress ?? ""}:${server.port}/shop:v1`);
  await expect(new RegistryClient().resolveDigest(reference)).resolves.toBe(sha256("m"));
  challenge = true;
  const refused = new RegistryClient().resolveDigest(reference);
  await expect(refused).rejects.toMatchObject({ code: "REGISTRY_AUTH", hint: expect.stringContaining("--plain-http") });
});
