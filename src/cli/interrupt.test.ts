import { expect, test } from "@jest/globals";
import { listenForInterrupt } from "./interrupt.ts";

test("the first Ctrl-C cancels, the second leaves with the code of a cancelled run", () => {
  const happened: string[] = [];
  using interrupt = listenForInterrupt({
    onCancel: () => happened.push("cancel"),
    leave: (code) => happened.push(`leave ${code}`),
  });
  process.emit("SIGINT");
  expect(happened).toEqual(["cancel"]);
  expect(interrupt.signal.reason).toMatchObject({ code: "CANCELLED" });
  process.emit("SIGINT");
  expect(happened).toEqual(["cancel", "leave 8"]);
});

test("once disposed of it listens no more", () => {
  const before = process.listenerCount("SIGINT");
  const interrupt = listenForInterrupt({ onCancel: () => undefined });
  expect(process.listenerCount("SIGINT")).toBe(before + 1);
  interrupt[Symbol.dispose]();
  expect(process.listenerCount("SIGINT")).toBe(before);
});
