import { expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { routePath } from "../../core/release/release-spec.ts";
import {
  backendName,
  candidateName,
  isCandidate,
  parseBackend,
  parseRouteEntry,
  routeEntries,
  routeKey,
} from "./edge-names.ts";

const app = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/);
const service = fc.stringMatching(/^[a-z0-9][a-z0-9_.-]{0,9}$/);
const port = fc.integer({ min: 1, max: 65535 });
const path = fc.array(fc.stringMatching(/^[a-z]{1,2}$/), { maxLength: 3 }).map((segments) => `/${segments.join("/")}`);

test("a backend's name can be read back, by its own app only", () => {
  fc.assert(
    fc.property(app, app, service, port, (own, other, name, number) => {
      const backend = backendName(own, { service: name, port: number });
      expect(parseBackend(own, backend)).toEqual({ service: name, port: number });
      if (other !== own) expect(parseBackend(other, backend)).toBeUndefined();
      expect(isCandidate(backend)).toBe(false);
      expect(isCandidate(candidateName(backend))).toBe(true);
      expect(parseBackend(own, candidateName(backend))).toBeUndefined();
    }),
  );
});

test("a key matches a request as a prefix exactly if the route's path ends at a segment of it", () => {
  fc.assert(
    fc.property(app, path, path, (name, route, request) => {
      const segments = (text: string): string[] => text.split("/").filter((each) => each !== "");
      const isBelow = segments(route).every((segment, index) => segments(request)[index] === segment);
      // As the look-up in the configuration: app, path and a slash.
      expect(`${name}${request}/`.startsWith(routeKey(name, route))).toBe(isBelow);
    }),
  );
});

test("routes are read back from the map's entries, and no release is no route", () => {
  const routes = [
    { path: "/", service: "web", port: 80 },
    { path: "/api/v2", service: "my_api", port: 3000 },
  ];
  const entries = routeEntries({ app: "shop", domains: [], routes, servers: [] });
  expect([...entries].map(([key, backend]) => parseRouteEntry("shop", key, backend))).toEqual(routes);
  const [[key, backend] = ["", ""]] = [...routeEntries({ app: "shop", domains: [], routes: [], servers: [] })];
  expect([key, parseRouteEntry("shop", key, backend)]).toEqual(["shop/", undefined]);
  expect([routePath("/api//"), routePath("/"), routePath("/a")]).toEqual(["/api", "/", "/a"]);
});
