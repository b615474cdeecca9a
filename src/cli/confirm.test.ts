import { expect, test } from "@jest/globals";
import { requireConsent } from "./confirm.ts";

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
