import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { FrameInbox } from "./frame-inbox.ts";
import { FrameQueue } from "./frame-queue.ts";
import { frameBatchBytes, type Frame } from "./link-protocol.ts";

test("whatever is lost on the way, each frame comes once and in order", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("push" as const), bytes: fc.integer({ min: 1, max: frameBatchBytes }) }),
    fc.constant({ do: "arrive" as const }),
    fc.constant({ do: "lose" as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [queue, inbox] = [new FrameQueue(), new FrameInbox()];
      const [sent, got]: [Frame[], Frame[]] = [[], []];
      const deliver = (): void => {
        got.push(...(inbox.accept(queue.take(inbox.received)) ?? []));
      };
      for (const each of steps) {
        if (each.do === "push") {
          const frame = { channel: "c", line: `${sent.length}:${"x".repeat(each.bytes)}` };
          sent.push(frame);
          queue.push(frame);
        } else if (each.do === "arrive") deliver();
        else queue.take(inbox.received);
      }
      while (queue.hasMore(inbox.received)) deliver();
      expect(got).toEqual(sent);
      queue.take(inbox.received);
      expect(queue.bytes).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test("of a channel that is withdrawn only its end is told, of what had its number already too", () => {
  const queue = new FrameQueue();
  queue.push({ channel: "a", line: "start" });
  queue.push({ channel: "b", line: "other" });
  expect(queue.take(0).frames).toHaveLength(2); // and lost on the way
  queue.push({ channel: "a", line: "more" });
  queue.withdraw("a");
  expect(queue.take(0)).toEqual({
    first: 1,
    frames: [
      { channel: "a", closed: true },
      { channel: "b", line: "other" },
      { channel: "a", closed: true },
    ],
  });
});

test("frames with others missing before them are not taken", () => {
  const inbox = new FrameInbox();
  expect(inbox.accept({ first: 2, frames: [{ channel: "a", line: "2" }] })).toBeUndefined();
  expect(inbox.accept({ first: 1, frames: [{ channel: "a", line: "1" }] })).toHaveLength(1);
  expect(inbox.accept({ first: 1, frames: [{ channel: "a", line: "1" }] })).toEqual([]);
});
