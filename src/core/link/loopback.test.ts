import { expect, test } from "@jest/globals";
import { isLoopback } from "./loopback.ts";

test.each(["localhost", "127.0.0.1", "127.4.5.6", "::1", "[::1]"])("%s is this machine", (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(["0.0.0.0", "::", "10.0.0.2", "127.evil.example", "localhost.example", "127.1.2"])(
  "%s is another one, or all",
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
