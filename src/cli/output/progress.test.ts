import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { createProgress, type Progress } from "./progress.ts";

const startMs = Date.UTC(2026, 10, 23, 12, 0, 0);

beforeEach(() => {
  jest.useFakeTimers({ now: startMs });
});
afterEach(() => {
  jest.useRealTimers();
});

interface Screen {
  isTTY: boolean;
  columns: number;
  rows: number;
  text: string;
  write: (text: string) => void;
}

function screen(isTTY: boolean, columns = 60, rows = 24): Screen {
  const made = { isTTY, columns, rows, text: "", write: (text: string) => void (made.text += text) };
  return made;
}

function work(progress: Progress): void {
  progress.begin({ id: "run", title: "deploy prod" });
  progress.begin({ id: "a", title: "release shop", parent: "run" });
  progress.note("a", "gating");
  jest.advanceTimersByTime(1200);
  progress.message("slow disk", "warning");
  progress.end("a", "done");
  progress.end("run", "failed", "no space");
  progress.close();
}

const escape = "\u001B";
const pieces = new RegExp(`${escape}\\[\\?25[lh]|${escape}\\[\\d*[AJ]|\\r|\\n|[^${escape}\\r\\n]+`, "g");

/** What stands on the screen after everything was written: cursor up and erase are carried out. */
function shown(written: string): string[] {
  const lines = [""];
  for (const [piece] of written.matchAll(pieces)) {
    const up = /\[(\d+)A$/.exec(piece)?.[1];
    if (up !== undefined) lines.splice(lines.length - Number(up), Number(up));
    else if (piece.endsWith("[J")) lines[lines.length - 1] = "";
    else if (piece === "\n") lines.push("");
    else if (!piece.startsWith(escape) && piece !== "\r") lines[lines.length - 1] = `${lines.at(-1) ?? ""}${piece}`;
  }
  return lines;
}

test("piped: one line for each thing, with its time", () => {
  const stderr = screen(false);
  work(createProgress({}, stderr, {}));
  expect(stderr.text).toBe(`2026-11-23T12:00:00Z deploy prod
2026-11-23T12:00:00Z deploy prod / release shop
2026-11-23T12:00:00Z deploy prod / release shop: gating
2026-11-23T12:00:01Z warning: slow disk
2026-11-23T12:00:01Z deploy prod / release shop: done (1.2 s)
2026-11-23T12:00:01Z deploy prod: failed, no space (1.2 s)
`);
});

test("in CI a terminal gets lines too", () => {
  const stderr = screen(true);
  work(createProgress({}, stderr, { CI: "true" }));
  expect(stderr.text).not.toContain("\u001B");
});

test("with --json: one event a line", () => {
  const stderr = screen(true);
  work(createProgress({ json: true }, stderr, {}));
  const events = stderr.text
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
  expect(events).toHaveLength(6);
  expect(events[1]).toEqual({
    apiVersion: "ikoma.dev/v1",
    kind: "Event",
    time: "2026-11-23T12:00:00.000Z",
    event: "begin",
    id: "a",
    title: "release shop",
    parent: "run",
  });
  expect(events[3]).toMatchObject({ event: "message", severity: "warning", text: "slow disk" });
  expect(events[5]).toMatchObject({ event: "end", id: "run", outcome: "failed", text: "no space" });
});

test("on a terminal the tree is redrawn in place, messages stand above it, and its end stays", () => {
  const stderr = screen(true);
  work(createProgress({ color: false }, stderr, {}));
  expect(shown(stderr.text)).toEqual([
    "warning slow disk",
    "✗ deploy prod  no space 1.2 s",
    "  ✓ release shop 1.2 s",
    "",
  ]);
  expect(stderr.text.endsWith("\u001B[?25h")).toBe(true);
});

test("a part that begins late stands under what it is a part of", () => {
  const stderr = screen(true);
  const progress = createProgress({ color: false }, stderr, {});
  progress.begin({ id: "a", title: "first" });
  progress.begin({ id: "b", title: "second" });
  progress.begin({ id: "a1", title: "part", parent: "a" });
  for (const id of ["a", "b", "a1"]) progress.end(id, "unchanged");
  progress.close();
  expect(shown(stderr.text)).toEqual(["= first 0.0 s", "  = part 0.0 s", "= second 0.0 s", ""]);
});

test("no line is wider than the terminal, and no more are drawn than it has rows", () => {
  const stderr = screen(true, 40, 5);
  const progress = createProgress({ color: false }, stderr, {});
  for (let number = 0; number < 20; number += 1)
    progress.begin({ id: String(number), title: `step ${number} ${"x".repeat(100)}` });
  jest.advanceTimersByTime(80);
  const picture = shown(stderr.text);
  expect(picture[0]).toMatch(/step \d+ x+/);
  expect(picture.length).toBeLessThanOrEqual(5);
  expect(Math.max(...picture.map((line) => line.length))).toBeLessThanOrEqual(40);
  progress.close();
});

test("a terminal without a size is taken for a usual one", () => {
  const stderr = screen(true, 0, 0);
  const progress = createProgress({ color: false }, stderr, {});
  progress.begin({ id: "a", title: "a title of more than ten letters" });
  progress.end("a", "done");
  progress.close();
  expect(shown(stderr.text)[0]).toBe("✓ a title of more than ten letters 0.0 s");
});

test("after close a new tree can begin below", () => {
  const stderr = screen(true);
  const progress = createProgress({ color: false }, stderr, {});
  for (const title of ["preview", "deploy"]) {
    progress.begin({ id: title, title });
    progress.end(title, "done");
    progress.close();
  }
  expect(shown(stderr.text)).toEqual(["✓ preview 0.0 s", "✓ deploy 0.0 s", ""]);
});
