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
  const memory = new IdleMemory(() => true);
  memory.endedOne();
  jest.advanceTimersByTime(200);
  memory.endedOne();
  jest.advanceTimersByTime(200);
  expect(collect).not.toHaveBeenCalled();

  jest.advanceTimersByTime(10_000);

  expect(collect).toHaveBeenCalledTimes(1);
});

test("nothing is collected in the middle of an operation, nor where Node does not offer it", () => {
  let isIdle = false;
  const memory = new IdleMemory(() => isIdle);
  memory.endedOne();
  jest.advanceTimersByTime(10_000);
  expect(collect).not.toHaveBeenCalled();

  isIdle = true;
  globalThis.gc = undefined;
  memory.endedOne();
  expect(jest.advanceTimersByTime.bind(jest, 10_000)).not.toThrow();
});
