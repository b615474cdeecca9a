import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { parsePort } from "./ports.ts";

test.each([
  ["3000", 3000, false, undefined, "tcp"],
  [3000, 3000, false, undefined, "tcp"],
  ["80:3000", 3000, true, undefined, "tcp"],
  ["80:3000/udp", 3000, true, undefined, "udp"],
  ["127.0.0.1:80:3000", 3000, true, "127.0.0.1", "tcp"],
  ["127.0.0.1::3000", 3000, false, "127.0.0.1", "tcp"],
  ["[::1]:80:3000", 3000, true, "::1", "tcp"],
  ["${PORT:-80}:3000", 3000, true, undefined, "tcp"],
  ["${HOST:-0.0.0.0}:${PORT:-${OTHER:-80}}:3000", 3000, true, "${HOST:-0.0.0.0}", "tcp"],
  ["80:${PORT:-3000}", undefined, true, undefined, "tcp"],
  ["8000-8001:3000-3001", undefined, true, undefined, "tcp"],
  [{ target: 3000, published: "80", protocol: "udp", host_ip: "::1" }, 3000, true, "::1", "udp"],
  [{ target: 3000 }, 3000, false, undefined, "tcp"],
  [{ target: "${PORT}", published: 80 }, undefined, true, undefined, "tcp"],
])("%j is port %s of the container", (port, target, fixed, hostAddress, protocol) => {
  expect(parsePort(port)).toMatchObject({ target, fixed, hostAddress, protocol });
});

test("the short and the long notation of the same port say the same", () => {
  const number = fc.integer({ min: 1, max: 65535 });
  fc.assert(
    fc.property(number, number, fc.constantFrom("tcp", "udp"), (published, target, protocol) => {
      const short = parsePort(`${published}:${target}/${protocol}`);
      const long = parsePort({ published: String(published), target, protocol });
      expect({ ...short, written: "" }).toEqual({ ...long, written: "" });
    }),
  );
});
