import { expect, test } from "@jest/globals";
import type { EngineEvent } from "../../core/engine/engine-event.ts";
import type { Progress } from "./steps.ts";
import { RunView } from "./run-view.ts";

const urn = "urn:pulumi:prod::ikoma-bridge::ikoma:index:App$ikoma:vps:Release::shop";

class Recorder implements Progress {
  readonly lines: string[] = [];
  begin({ title, parent }: { title: string; parent?: string }): void {
    this.lines.push(`begin ${title} in ${parent ?? "nothing"}`);
  }
  note(id: string, text: string): void {
    this.lines.push(`note ${id === urn ? "release" : id}: ${text}`);
  }
  end(id: string, outcome: string): void {
    this.lines.push(`end ${id === urn ? "release" : id} ${outcome}`);
  }
  message(text: string, severity = "info"): void {
    this.lines.push(`${severity} ${text}`);
  }
  close(): void {
    this.lines.push("close");
  }
}

function step(type: "step" | "done" | "failed", op: string, resource = "ikoma:vps:Release"): EngineEvent {
  const state = { inputs: {}, outputs: {}, custom: !resource.startsWith("ikoma:index:") };
  return { type, step: { op, urn, type: resource, old: null, new: state, detailedDiff: null } };
}

function watch(...events: EngineEvent[]): { view: RunView; lines: string[] } {
  const progress = new Recorder();
  const view = new RunView(progress, "run");
  for (const event of events) view.engine(event);
  return { view, lines: progress.lines };
}

test("an update: compared with the host, then a step with what the host does", () => {
  const { view, lines } = watch(step("step", "refresh"), step("done", "refresh"), step("step", "update"));
  view.host(urn, { seq: 1, atMs: 0, type: "phase", name: "gating", message: "" });
  view.host(urn, { seq: 2, atMs: 0, type: "log", name: "web", message: "listening" });
  view.engine(step("done", "update"));
  expect(lines).toEqual([
    "note run: comparing release shop with the host",
    "begin release shop in run",
    "note release: gating",
    "note release: web | listening",
    "end release done",
  ]);
});

test("the bake is a step of its own, with its figures, until the release is the current one", () => {
  const { view, lines } = watch(step("step", "update"));
  const host = (type: "phase" | "step", name: string, message = "") => {
    view.host(urn, { seq: 1, atMs: 0, type, name, message });
  };
  host("phase", "baking");
  host("step", "bake", "1 of 10 s: 200 requests, 0 failed");
  host("step", "bake", "2 of 10 s: 400 requests, 0 failed");
  host("phase", "switched");
  view.engine(step("done", "update"));
  expect(lines).toEqual([
    "begin release shop in run",
    "note release: baking",
    `begin bake in ${urn}`,
    `note ${urn}::bake: 1 of 10 s: 200 requests, 0 failed`,
    `note ${urn}::bake: 2 of 10 s: 400 requests, 0 failed`,
    `end ${urn}::bake done`,
    "note release: switched",
    "end release done",
  ]);
});

test("a bake that the host ends by going back has failed", () => {
  const { view, lines } = watch(step("step", "update"));
  view.host(urn, { seq: 1, atMs: 0, type: "step", name: "bake", message: "1 of 10 s" });
  view.host(urn, { seq: 2, atMs: 0, type: "step", name: "undo", message: "#1 (v1) serves again" });
  expect(lines.slice(-2)).toEqual([`end ${urn}::bake failed`, "note release: undo #1 (v1) serves again"]);
});

test("what stays the same, components and providers are no steps", () => {
  const { lines } = watch(
    step("step", "same"),
    step("done", "same"),
    step("step", "create", "ikoma:index:App"),
    step("step", "create", "pulumi:providers:ikoma"),
  );
  expect(lines).toEqual([]);
});

test("a failure ends its step; a warning stays; errors are left to the command", () => {
  const { view, lines } = watch(
    step("step", "create"),
    { type: "diagnostic", severity: "warning", message: "drift unknown", urn, ephemeral: false },
    { type: "diagnostic", severity: "error", message: "boom", urn, ephemeral: false },
    { type: "diagnostic", severity: "info", message: "said by the host already", urn, ephemeral: false },
    step("failed", "create"),
  );
  view.repair("Removed the lock");
  expect(lines).toEqual([
    "begin release shop (new) in run",
    "warning drift unknown",
    "end release failed",
    "warning Removed the lock",
  ]);
});
