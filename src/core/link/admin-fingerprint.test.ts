import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { formatFingerprint, parseFingerprint } from "./admin-fingerprint.ts";

test("a fingerprint is read as it was written", () => {
  const id = fc.stringMatching(/^[0-9A-Za-z]{10}$/);
  const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
  fc.assert(
    fc.property(id, hash, (given, digest) => {
      const fingerprint = { id: given, hash: digest };
      expect(parseFingerprint(formatFingerprint(fingerprint))).toEqual(fingerprint);
    }),
  );
});

test.each(["", "short:00", `oKwXn2Jc4T:${"5F".repeat(32)}`, `oKwXn2Jc4T:${"5f".repeat(33)}`, "ikb_admin_token"])(
  "%j is none",
  (text) => {
    expect(parseFingerprint(text)).toBeUndefined();
  },
);
