import { Readable } from "node:stream";
import { expect, test } from "@jest/globals";
import { readLogin } from "./registry-login.ts";

const whole = { registry: "registry.example", "registry-user": "ci", "registry-password-stdin": true };

test("a login takes its password from standard input, without the line's end", async () => {
  expect(await readLogin(whole, Readable.from([Buffer.from("pass\nword\n")]))).toEqual({
    registry: "registry.example",
    user: "ci",
    password: "pass\nword",
  });
});

test("no login is asked for without any of its options", async () => {
  expect(
    await readLogin(
      { registry: undefined, "registry-user": undefined, "registry-password-stdin": false },
      Readable.from([]),
    ),
  ).toBeUndefined();
});

test.each([{ registry: undefined }, { "registry-user": undefined }, { "registry-password-stdin": false }])(
  "half a login (%o) is refused",
  async (less) => {
    await expect(readLogin({ ...whole, ...less }, Readable.from([]))).rejects.toMatchObject({ code: "USAGE" });
  },
);

test("an empty password is refused", async () => {
  await expect(readLogin(whole, Readable.from([]))).rejects.toMatchObject({ code: "USAGE" });
});
