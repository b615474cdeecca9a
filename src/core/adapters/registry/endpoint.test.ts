import { afterEach, expect, test } from "@jest/globals";
import { endpointsOf, mirrorsFromEnvironment, parseMirrors } from "./endpoint.ts";

afterEach(() => {
  delete process.env.IKOMA_REGISTRY_MIRROR;
});

const urls = (registry: string, options = {}): string[] => endpointsOf(registry, options).map(({ baseUrl }) => baseUrl);

test("only loopback addresses are asked in clear without a word", () => {
  expect(urls("127.0.0.1:5000")).toEqual(["http://127.0.0.1:5000"]);
  expect(urls("localhost:5000")).toEqual(["http://localhost:5000"]);
  expect(urls("[::1]:5000")).toEqual(["http://[::1]:5000"]);
  expect(urls("registry.example")).toEqual(["https://registry.example"]);
  expect(urls("127.example.com")).toEqual(["https://127.example.com"]);
  expect(urls("registry.example", { plainHttp: true })).toEqual(["http://registry.example"]);
});

test("a private address is asked in clear only second, and never sees credentials then", () => {
  expect(endpointsOf("10.1.2.3:5000", {})).toEqual([
    { baseUrl: "https://10.1.2.3:5000", mayAuthenticate: true },
    { baseUrl: "http://10.1.2.3:5000", mayAuthenticate: false },
  ]);
  expect(urls("172.32.0.1:5000")).toEqual(["https://172.32.0.1:5000"]);
});

test("Docker Hub's API has a name of its own, and a mirror stands in for it", () => {
  expect(urls("docker.io")).toEqual(["https://registry-1.docker.io"]);
  process.env.IKOMA_REGISTRY_MIRROR = "docker.io=http://127.0.0.1:5001/, ghcr.io=https://mirror.example";
  expect(mirrorsFromEnvironment()).toEqual({
    "docker.io": "http://127.0.0.1:5001/",
    "ghcr.io": "https://mirror.example",
  });
  expect(urls("docker.io")).toEqual(["http://127.0.0.1:5001"]);
  expect(urls("quay.io")).toEqual(["https://quay.io"]);
  expect(urls("docker.io", { mirrors: {} })).toEqual(["https://registry-1.docker.io"]);
});

test.each(["docker.io", "docker.io=mirror:5000", "=http://x", "docker.io=http://"])(
  "the mirror %j is refused",
  (pair) => {
    expect(() => parseMirrors([pair])).toThrow(expect.objectContaining({ code: "USAGE" }));
  },
);
