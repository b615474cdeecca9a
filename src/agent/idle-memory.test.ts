import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { IdleMemory } from "./idle-memory.ts";

const collect = jest.fn();
const before = globalThis.gc;

beforeEach(() => {
  jest.useFakeTimers();
  collect.mockClear();
  globalThis.gc = collect as unknown as NodeJS.GCFunction;
});

afterEach(() => {
  jest.useRealTimers();
  globalThis.gc = before;
});

test("memory is given back once, when nothing has ended for a moment", () => {
  const memory = new IdleMemory();
  memory.endedOne(() => true);
  jest.advanceTimersByTime(200);
  memory.endedOne(() => true);
  jest.advanceTimersByTime(200);
  expect(collect).not.toHaveBeenCalled();

  jest.advanceTimersByTime(10_000);

  expect(collect).toHaveBeenCalledTimes(1);
});

test("nothing is collected in the middle of an operation, nor where Node does not offer it", () => {
  const memory = new IdleMemory();
  memory.endedOne(() => false);
  jest.advanceTimersByTime(10_000);
  expect(collect).not.toHaveBeenCalled();

  globalThis.gc = undefined;
  memory.endedOne(() => true);
  expect(jest.advanceTimersByTime.bind(jest, 10_000)).not.toThrow();
});
