import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { base62, formatToken, parseToken, type TokenParts } from "./api-token.ts";

const token = fc.record<TokenParts>({
  kind: fc.constantFrom("agent", "caller", "admin"),
  id: fc.bigInt({ min: 0n, max: 2n ** 59n }).map((value) => base62(value, 10)),
  secret: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }).map((value) => base62(value, 43)),
});

test("what is written is what is read", () => {
  fc.assert(
    fc.property(token, (parts) => {
      expect(parseToken(formatToken(parts))).toEqual(parts);
    }),
  );
});

test("a wrong letter makes it no token", () => {
  fc.assert(
    fc.property(token, fc.nat(), fc.constantFrom("0", "a", "Z"), (parts, place, letter) => {
      const text = formatToken(parts);
      const at = place % text.length;
      fc.pre(text[at] !== letter);
      expect(parseToken(text.slice(0, at) + letter + text.slice(at + 1))).toBeUndefined();
    }),
  );
});

test("different secrets are different texts of one length", () => {
  expect(base62(0n, 43)).toBe("0".repeat(43));
  expect(base62(2n ** 256n - 1n, 43)).toHaveLength(43);
  expect(base62(62n, 3)).toBe("010");
});
