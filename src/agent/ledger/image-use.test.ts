import { expect, test } from "@jest/globals";
import { openDatabase } from "./database.ts";
import { ImageUse } from "./image-use.ts";

test("an image may go when the last app that the agent brought it for has dropped it", () => {
  const use = new ImageUse(openDatabase(":memory:"));
  expect(use.knows("db")).toBe(false);
  use.add("shop", "db");
  use.add("shop", "db");
  use.add("blog", "db");
  use.add("shop", "web");
  expect(use.of("shop").toSorted()).toEqual(["db", "web"]);
  expect(use.knows("db")).toBe(true);
  expect(use.drop("shop", "db")).toBe(false);
  expect(use.drop("blog", "db")).toBe(true);
  expect(use.of("shop")).toEqual(["web"]);
  expect(use.knows("db")).toBe(false);
});
