import { describe, expect, test } from "@jest/globals";
import { PassThrough } from "node:stream";
import { confirmByName, requireConsent } from "./confirm.ts";

const terminal = { isTTY: true };
const pipe = { isTTY: false };
const ask = { yes: false, json: false };

test.each([
  ["--yes", { yes: true, json: false }, { stdin: pipe, stderr: pipe, env: {} }],
  ["--yes with --json", { yes: true, json: true }, { stdin: pipe, stderr: pipe, env: {} }],
  ["a terminal", ask, { stdin: terminal, stderr: terminal, env: {} }],
  ["a terminal with CI=false", ask, { stdin: terminal, stderr: terminal, env: { CI: "false" } }],
])("%s can go on", (_name, argv, terminals) => {
  expect(() => {
    requireConsent(argv, terminals);
  }).not.toThrow();
});

test.each([
  ["no terminal to read from", ask, { stdin: pipe, stderr: terminal, env: {} }],
  ["no terminal to ask on", ask, { stdin: terminal, stderr: pipe, env: {} }],
  ["--json", { yes: false, json: true }, { stdin: terminal, stderr: terminal, env: {} }],
  ["CI", ask, { stdin: terminal, stderr: terminal, env: { CI: "1" } }],
])("%s without --yes is refused, naming the flag", (_name, argv, terminals) => {
  expect(() => {
    requireConsent(argv, terminals);
  }).toThrow(expect.objectContaining({ code: "USAGE", exitCode: 2, hint: expect.stringContaining("--yes") }));
});

describe("what is deleted for good has its name typed", () => {
  const answer = (text: string, signal = new AbortController().signal): Promise<void> => {
    const input = new PassThrough();
    if (text === "") input.end();
    else input.write(text);
    return confirmByName("shop", signal, { streams: { input, output: new PassThrough() } });
  };

  test("the name goes on", async () => {
    await expect(answer("shop\n")).resolves.toBeUndefined();
  });

  test.each([
    ["yes", "yes\n"],
    ["another name", "Shop\n"],
    ["nothing", "\n"],
    ["the end of the input", ""],
  ])("%s does not", async (_what, text) => {
    await expect(answer(text)).rejects.toMatchObject({ code: "CANCELLED", message: "Nothing was changed." });
  });

  test("neither does Ctrl-C", async () => {
    const abort = new AbortController();
    const input = new PassThrough();
    const asked = confirmByName("shop", abort.signal, { streams: { input, output: new PassThrough() } });
    abort.abort();
    await expect(asked).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
