import { expect, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { shop, until, useEdge } from "../../../test/rigs/haproxy.ts";
import type { AppServer } from "../../../test/rigs/haproxy.ts";
import type { EdgeApp } from "./edge.ts";

const { rig, appServer, serve } = useEdge();

const nameOf = async (path: string, host: string): Promise<string> =>
  (await rig().get(path, host)).body.split(" ")[0] ?? "";

test("hosts go to their app: exact before wildcard before the app without domains", async () => {
  const [a, b, c] = [await appServer("d1-a-1"), await appServer("d1-b-1"), await appServer("d1-c-1")];
  const app = (name: string, domains: string[], server: AppServer): EdgeApp => ({
    ...shop([server.as("web")]),
    app: name,
    domains,
  });
  await serve(app("exact", ["www.shop.test", "shop.test"], a), app("wild", ["*.shop.test"], b), app("rest", [], c));

  expect(await nameOf("/", "shop.test")).toBe("d1-a-1");
  expect(await nameOf("/", "WWW.Shop.Test.:8080")).toBe("d1-a-1");
  expect(await nameOf("/", "api.shop.test")).toBe("d1-b-1");
  expect(await nameOf("/", "deep.api.shop.test")).toBe("d1-c-1");
  expect(await nameOf("/", "127.0.0.1")).toBe("d1-c-1");
});

test("the longest path wins, and only whole segments count", async () => {
  const [web, api, admin] = [
    await appServer("d1-web-1"),
    await appServer("d1-api-1", 4000),
    await appServer("d1-admin-1", 5000),
  ];
  const routes = [
    { path: "/", service: "web", port: 3000 },
    { path: "/api", service: "api", port: 4000 },
    { path: "/api/admin/", service: "admin", port: 5000 },
  ];
  await serve(shop([web.as("web"), api.as("api", 4000), admin.as("admin", 5000)], { routes }));

  const expected = {
    "/": "web",
    "/api": "api",
    "/api/": "api",
    "/api?x=/api/admin": "api",
    "/api/x": "api",
    "/apiary": "web",
    "/api/admin": "admin",
    "/api/admins": "api",
    "/x/api": "web",
  };
  for (const [path, service] of Object.entries(expected))
    expect([path, await nameOf(path, "shop.test")]).toEqual([path, `d1-${service}-1`]);
  expect((await rig().edge.served("shop")).routes).toEqual(
    expect.arrayContaining([routes[0], routes[1], { ...routes[2], path: "/api/admin" }]),
  );
});

test("who is not served is told so in plain words", async () => {
  const dead = await appServer("d1-web-1");
  await dead.stop();
  await serve(
    shop([dead.as("web")]),
    { ...shop([]), app: "empty", domains: ["empty.test"], routes: [] },
    { ...shop([]), app: "part", domains: ["part.test"], routes: [{ path: "/only", service: "web", port: 3000 }] },
  );

  expect(await rig().get("/", "nobody.test")).toMatchObject({
    status: 404,
    body: "No application answers under this host name.\n",
  });
  expect(await rig().get("/", "part.test")).toMatchObject({
    status: 404,
    body: "No application answers under this path.\n",
  });
  for (const host of ["shop.test", "empty.test"]) {
    const answer = await rig().get("/", host);
    expect(answer).toMatchObject({ status: 503, body: "The application is not available at the moment.\n" });
    expect(answer.headers).toMatchObject({
      "retry-after": "5",
      "cache-control": "no-store",
      "content-type": "text/plain",
    });
  }
});

test("apps learn who asked and how, and cannot be told otherwise by the client", async () => {
  await serve(shop([(await appServer("d1-web-1")).as("web")]));
  const { body } = await rig().get("/headers", "shop.test", {
    headers: {
      host: "shop.test",
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-proto": "https",
      "x-request-id": "forged",
      forwarded: "for=6.6.6.6",
    },
  });
  const headers = JSON.parse(body) as Record<string, string>;
  expect(headers).toMatchObject({ host: "shop.test", "x-forwarded-proto": "http", "x-forwarded-host": "shop.test" });
  // Also where the kernel has it as ::ffff:127.0.0.1.
  expect(headers["x-forwarded-for"]).toBe("127.0.0.1");
  expect(headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers).not.toHaveProperty("forwarded");
});

test("of a request that fails its query is not written down: it may hold a token", async () => {
  await serve(shop([]));
  expect((await rig().get("/reset?token=hunter22", "shop.test")).status).toBe(503);
  await until(() => Promise.resolve(rig().log.includes("GET /reset")));
  expect(rig().log).not.toContain("hunter22");
});

test("an app with a certificate is served over TLS by its name", async () => {
  const web = await appServer("d1-web-1");
  const [one, two] = [await certificate("shop.test"), await certificate("two.test")];
  await serve(
    shop([web.as("web")], { certificatePem: one }),
    shop([web.as("web")], { app: "two", domains: ["two.test"], certificatePem: two }),
  );

  expect(await overTls("shop.test")).toMatchObject({ subject: "shop.test", protocol: "https" });
  expect(await overTls("two.test")).toMatchObject({ subject: "two.test", protocol: "https" });
});

test("an app's own certificate answers under its names, whatever names other ones have in theirs", async () => {
  const web = await appServer("d1-web-1");
  const wide = await certificate("api.test", "shop.test", "*.shop.test", "blog.test");
  const [own, any] = [await certificate("shop.test"), await certificate("*.shop.test")];
  await serve(
    shop([web.as("web")], { app: "api", domains: ["api.test"], certificatePem: wide }),
    shop([web.as("web")], { domains: ["shop.test", "www.shop.test"], certificatePem: own }),
    shop([web.as("web")], { app: "any", domains: ["*.shop.test"], certificatePem: any }),
    shop([web.as("web")], { app: "blog", domains: ["blog.test"] }),
  );

  expect(await overTls("api.test")).toMatchObject({ subject: "api.test" });
  expect(await overTls("shop.test")).toMatchObject({ subject: "shop.test" });
  expect(await overTls("other.shop.test")).toMatchObject({ subject: "*.shop.test" });
  // Its own certificate is none for this one.
  expect((await overTls("www.shop.test")).subject).not.toBe("shop.test");
  expect(await overTls("blog.test")).toMatchObject({ subject: "api.test" });
});

test("the certificate that is loaded is told, also when a hand has loaded another, and put right", async () => {
  const web = await appServer("d1-web-1");
  const [own, other] = [await certificate("shop.test"), await certificate("other.test")];
  const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint.replaceAll(":", "");
  const app = shop([web.as("web")], { certificatePem: own });
  await serve(app);
  expect(await rig().edge.certificates("shop")).toEqual([fingerprint(own)]);
  expect(await rig().edge.certificates("sho")).toEqual([]);

  const [list = ""] = await rig().tell("show ssl cert");
  const path = list.split("\n").find((line) => line.includes("/certs/shop-")) ?? "";
  await rig().tell(`set ssl cert ${path} <<\n${other.trim()}\n`, `commit ssl cert ${path}`);
  expect(await rig().edge.certificates("shop")).toEqual([fingerprint(other)]);
  await rig().edge.rewrite(rig().view(app));
  expect(await rig().edge.certificates("shop")).toEqual([fingerprint(own)]);
  expect(await overTls("shop.test")).toMatchObject({ subject: "shop.test" });
});

test("without a certificate nothing listens for TLS", async () => {
  await serve(shop([]));
  await expect(overTls("shop.test")).rejects.toThrow(/ECONNREFUSED/);
});

test("a certificate that is none, or has no key, is refused by the app's name", async () => {
  const pem = await certificate("shop.test");
  const withoutKey = pem.slice(pem.indexOf("-----BEGIN CERTIFICATE"));
  for (const certificatePem of ["nonsense", withoutKey]) {
    await expect(rig().edge.persist(rig().view(shop([], { certificatePem })))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("of the app shop"),
    });
  }
});

test("a server that stops answering is left out until it answers again", async () => {
  const [first, second] = [await appServer("d1-web-1"), await appServer("d1-web-2")];
  await serve(shop([]));
  await rig().edge.switchTo(shop([first.as("web"), second.as("web")]));
  await first.stop();
  await until(async () => (await states()).includes("d1-web-1 down"), 15_000);
  for (let count = 0; count < 10; count++) expect(await nameOf("/", "shop.test")).toBe("d1-web-2");
  await first.restart();
  await until(async () => (await states()).includes("d1-web-1 ready"), 15_000);
});

const states = async (): Promise<string[]> =>
  (await rig().edge.served("shop")).servers.map((each) => `${each.name} ${each.state}`);

async function certificate(name: string, ...others: string[]): Promise<string> {
  const file = join(rig().directory, `${name}.test-pem`);
  await promisify(execFile)("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
    "-addext",
    `subjectAltName=${[name, ...others].map((each) => `DNS:${each}`).join(",")}`,
    "-keyout",
    file,
    "-out",
    `${file}.crt`,
  ]);
  return (await readFile(file, "utf8")) + (await readFile(`${file}.crt`, "utf8"));
}

function overTls(name: string): Promise<{ subject: string; protocol: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        port: rig().httpsPort,
        path: "/headers",
        servername: name,
        headers: { host: name },
        rejectUnauthorized: false,
        agent: false,
      },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => {
          body += chunk.toString();
        });
        response.on("end", () => {
          const headers = JSON.parse(body) as Record<string, unknown>;
          const socket = response.socket;
          const subject = socket instanceof TLSSocket ? String(socket.getPeerCertificate().subject.CN) : "";
          resolve({ subject, protocol: headers["x-forwarded-proto"] });
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end();
  });
}
