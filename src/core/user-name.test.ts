import { expect, test } from "@jest/globals";
import { userInfo } from "node:os";
import { userName } from "./user-name.ts";

test("a user without an entry in the machine's list has a number for a name", () => {
  expect(userName()).toBe(userInfo().username);
  const unknown = (): never => {
    throw Object.assign(new Error("uv_os_get_passwd returned ENOENT"), { code: "ERR_SYSTEM_ERROR" });
  };
  expect(userName(unknown)).toBe(`uid ${process.getuid?.()}`);
});
