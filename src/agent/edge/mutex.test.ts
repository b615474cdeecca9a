import { expect, test } from "@jest/globals";
import { Mutex } from "./mutex.ts";

test("tasks run one at a time in their order, and a failure is its own caller's only", async () => {
  const mutex = new Mutex();
  const events: string[] = [];
  const task =
    (name: string, fails = false) =>
    async (): Promise<string> => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      events.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    };
  const results = await Promise.allSettled([mutex.run(task("a")), mutex.run(task("b", true)), mutex.run(task("c"))]);
  expect(events).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  expect(results.map((each) => each.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
});
