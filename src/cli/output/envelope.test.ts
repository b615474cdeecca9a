import { expect, test } from "@jest/globals";
import { IkomaError } from "../../core/errors.ts";
import { printError, printResult } from "./envelope.ts";

function sink(): { write: (text: string) => void; text: string } {
  const kept = { text: "", write: (text: string) => void (kept.text += text) };
  return kept;
}

test("a result for programs is one line of the version 1 envelope", () => {
  const stdout = sink();
  printResult({ kind: "Status", data: { apps: {} }, human: "never" }, { json: true }, stdout);
  expect(stdout.text).toBe('{"apiVersion":"ikoma.dev/v1","kind":"Status","data":{"apps":{}}}\n');
});

test("a result for people is its text, made only when it is wanted, and ends its line", () => {
  const stdout = sink();
  printResult({ kind: "Status", data: {}, human: () => "all is well" }, {}, stdout);
  expect(stdout.text).toBe("all is well\n");
});

test("a failure for programs is the one result on stdout, with everything in it", () => {
  const streams = { stdout: sink(), stderr: sink() };
  printError(
    new IkomaError("RELEASE_CRASHED", "web stopped", { hint: "look", details: { log: ["boom"] } }),
    { json: true },
    streams,
  );
  expect(JSON.parse(streams.stdout.text)).toEqual({
    apiVersion: "ikoma.dev/v1",
    kind: "Error",
    error: { code: "RELEASE_CRASHED", message: "web stopped", hint: "look", details: { log: ["boom"] } },
  });
  expect(streams.stderr.text).toBe("");
});

test("a failure for people goes to stderr", () => {
  const streams = { stdout: sink(), stderr: sink() };
  printError(new IkomaError("EDGE_FAILED", "It is down", { hint: "look" }), { color: false }, streams);
  expect(streams.stderr.text).toBe("error EDGE_FAILED It is down\n  next: look\n");
  expect(streams.stdout.text).toBe("");
});
