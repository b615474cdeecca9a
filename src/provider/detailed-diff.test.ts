import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { becomesSecret, differences } from "./detailed-diff.ts";
import { formatPath } from "./wire/property-path.ts";
import { mapFromJson, Secret, unknownValue, type PropertyMap, type PropertyValue } from "./wire/property-values.ts";

function told(olds: PropertyMap, news: PropertyMap, skip?: readonly string[]): string[] {
  return differences(olds, news, skip).map(({ path, kind }) => `${kind} ${formatPath(path)}`);
}

test("a change is told at the deepest place that tells it apart", () => {
  const olds = {
    version: "v1",
    services: { web: { image: "a", environment: { A: "1", B: "2" } }, old: { image: "x" } },
  };
  const news = {
    version: "v1",
    services: { web: { image: "b", environment: { A: "1", C: "3" } }, new: { image: "y" } },
  };
  expect(told(olds, news)).toEqual([
    "add services.new",
    "delete services.old",
    "delete services.web.environment.B",
    "add services.web.environment.C",
    "update services.web.image",
  ]);
});

test("names that every object inherits are properties like others", () => {
  expect(told({}, { constructor: "x", toString: "y" })).toEqual(["add constructor", "add toString"]);
});

test("lists are compared item by item", () => {
  expect(told({ a: [1, 2, 3] }, { a: [1, 4] })).toEqual(["update a[1]", "delete a[2]"]);
  expect(told({ a: [1] }, { a: { b: 1 } })).toEqual(["update a"]);
});

test("a secret is compared by what it holds, and shown by its path alone", () => {
  expect(told({ a: new Secret("x") }, { a: new Secret("x") })).toEqual([]);
  expect(told({ a: new Secret("x") }, { a: "x" })).toEqual([]);
  expect(differences({ a: new Secret({ b: "x" }) }, { a: new Secret({ b: "y" }) })).toEqual([
    { path: ["a", "b"], kind: "update" },
  ]);
});

test("a value that becomes a secret is no difference, and is known all the same", () => {
  const olds = { web: { environment: { A: "x", B: new Secret("y") }, list: [1, "z"] }, gone: "g" };
  const web = (environment: PropertyMap, list: PropertyValue = [1, "z"]): PropertyMap => ({
    web: { environment, list },
  });
  const [a, b] = [new Secret("x"), new Secret("y")];
  expect(told(olds, { ...web({ A: a, B: b }), gone: "g" })).toEqual([]);
  expect(becomesSecret(olds, web({ A: a, B: b }))).toBe(true);
  expect(becomesSecret(olds, { web: new Secret({ environment: { A: "x" } }) })).toBe(true);
  expect(becomesSecret(olds, web({ A: "x", B: b }, [1, new Secret("z")]))).toBe(true);
  expect(becomesSecret(olds, web({ A: "x", B: b }))).toBe(false);
  expect(becomesSecret(olds, web({ A: "x", B: "y", C: new Secret("new") }))).toBe(false);
});

test("an unknown value counts as changed, null as absent, and skipped names not at all", () => {
  expect(told({ a: "x", b: unknownValue }, { a: unknownValue, b: unknownValue })).toEqual(["update a", "update b"]);
  expect(told({ a: null }, {})).toEqual([]);
  expect(told({ note: "x" }, { note: "y" }, ["note"])).toEqual([]);
});

test("nothing differs from itself, and what is added one way is deleted the other", () => {
  const json = fc.dictionary(fc.string(), fc.jsonValue()).map(mapFromJson);
  fc.assert(
    fc.property(json, (map) => {
      expect(told(map, structuredClone(map))).toEqual([]);
    }),
  );
  fc.assert(
    fc.property(json, json, (a, b) => {
      const swapped = { add: "delete", delete: "add", update: "update" } as const;
      expect(differences(b, a)).toEqual(differences(a, b).map(({ path, kind }) => ({ path, kind: swapped[kind] })));
    }),
  );
});
