import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Vault } from "./vault.ts";

const vault = new Vault(randomBytes(32));

describe("sealing", () => {
  test("gives back what was sealed, and shows nothing of it", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const value: unknown = JSON.parse(text);
        expect(vault.unseal(vault.seal(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(vault.seal({ password: "hunter22-hunter22" }).toString("latin1")).not.toContain("hunter22");
  });

  test("is never twice the same", () => {
    expect(vault.seal("x").equals(vault.seal("x"))).toBe(false);
  });

  test("notices every altered bit, a cut and another key", () => {
    const sealed = vault.seal({ password: "hunter22" });
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = Buffer.from(sealed);
        altered[at] = (altered[at] ?? 0) ^ flip;
        expect(() => vault.unseal(altered)).toThrow();
      }),
    );
    expect(() => vault.unseal(sealed.subarray(0, -1))).toThrow();
    expect(() => vault.unseal(Buffer.alloc(0))).toThrow();
    expect(() => new Vault(randomBytes(32)).unseal(sealed)).toThrow();
  });
});

describe("keyed digest", () => {
  test("is the same for equal values whatever the order of their keys, and differs for others", () => {
    expect(vault.keyedDigest({ a: 1, b: { c: 2, d: undefined } })).toBe(vault.keyedDigest({ b: { c: 2 }, a: 1 }));
    expect(vault.keyedDigest({ a: 1 })).not.toBe(vault.keyedDigest({ a: 2 }));
    expect(vault.keyedDigest(["a", "b"])).not.toBe(vault.keyedDigest(["b", "a"]));
    expect(vault.keyedDigest({})).toMatch(/^[0-9a-f]{64}$/);
  });

  test("means nothing on another host", () => {
    expect(new Vault(randomBytes(32)).keyedDigest("x")).not.toBe(vault.keyedDigest("x"));
  });
});

describe("the host's key file", () => {
  test("is made once, for root alone, and survives a start that was cut off while making it", () => {
    const folder = mkdtempSync(join(tmpdir(), "ikoma-vault-"));
    try {
      const path = join(folder, "host.key");
      writeFileSync(`${path}.new`, "half");
      const first = Vault.open(path);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(Vault.open(path).unseal(first.seal("x"))).toBe("x");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("of a wrong length is refused", () => {
    expect(() => new Vault(Buffer.alloc(16))).toThrow("32 bytes");
  });
});
