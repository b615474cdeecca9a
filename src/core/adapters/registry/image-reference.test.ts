import { expect, test } from "@jest/globals";
import { parseImageReference } from "./image-reference.ts";

const digest = `sha256:${"0".repeat(64)}`;

test.each([
  ["postgres", "docker.io", "library/postgres", undefined],
  ["postgres:15", "docker.io", "library/postgres", "15"],
  ["docker.io/grafana/grafana:11", "docker.io", "grafana/grafana", "11"],
  ["localhost/shop", "localhost", "shop", undefined],
  ["localhost:5000/shop", "localhost:5000", "shop", undefined],
  ["127.0.0.1:5000/a/b/c:v1.2_3", "127.0.0.1:5000", "a/b/c", "v1.2_3"],
  ["ghcr.io/me/shop__web:1", "ghcr.io", "me/shop__web", "1"],
  ["[::1]:5000/shop:1", "[::1]:5000", "shop", "1"],
])("%s is %s / %s : %s", (text, registry, repository, tag) => {
  const parsed = parseImageReference(text);
  expect([parsed.registry, parsed.repository, parsed.tag]).toEqual([registry, repository, tag]);
});

test("a digest may stand behind a tag", () => {
  const parsed = parseImageReference(`registry.example:5000/shop:1@${digest}`);
  expect(parsed).toMatchObject({ repository: "shop", tag: "1", digest, familiarName: "registry.example:5000/shop" });
});

test.each(["", "Postgres", "shop:", "shop@sha256:12", "a//b", "shop:v 1", "https://ghcr.io/a", "-a/b", "a:b:c"])(
  "%j is refused",
  (text) => {
    expect(() => parseImageReference(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  },
);
