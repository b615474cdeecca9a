import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatPath, parsePath, withProperty } from "./property-path.ts";

test("a path is read back as it was written", () => {
  const step = fc.oneof(fc.string(), fc.nat());
  fc.assert(
    fc.property(fc.array(step, { minLength: 1 }), (path) => {
      expect(parsePath(formatPath(path))).toEqual(path);
    }),
  );
});

test("paths read as Pulumi writes them", () => {
  expect(formatPath(["services", "web", "ports", 0])).toBe("services.web.ports[0]");
  expect(formatPath(["services", "my.web", "image"])).toBe('services["my.web"].image');
  expect(parsePath("services.web-1.environment.A_B")).toEqual(["services", "web-1", "environment", "A_B"]);
  expect(parsePath("")).toBeUndefined();
});

test("a property is replaced, taken out, or put where its parent is missing", () => {
  const root = { services: { web: { image: "a", ports: [1, 2] } } };
  expect(withProperty(root, ["services", "web", "image"], "b")).toEqual({
    services: { web: { image: "b", ports: [1, 2] } },
  });
  expect(withProperty(root, ["services", "web", "ports", 1], "b")).toEqual({
    services: { web: { image: "a", ports: [1, "b"] } },
  });
  expect(withProperty(root, ["services", "web"], undefined)).toEqual({ services: {} });
  expect(withProperty(root, ["services", "db", "image"], "b")).toEqual({ services: { ...root.services, db: "b" } });
  expect(root.services.web.image).toBe("a");
});
