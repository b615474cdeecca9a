import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { redactDeep, redactor } from "./redaction.ts";

const mask = "[secret]";

/** Texts around the masks: what is left of the original. */
function leftOver(text: string): string[] {
  return text.split(mask);
}

describe("redactor", () => {
  test("masks a value wherever it stands", () => {
    expect(redactor(["hunter22"])("user:hunter22@db hunter22")).toBe("user:[secret]@db [secret]");
  });

  test("leaves nothing of values that overlap or contain each other", () => {
    expect(redactor(["abcdef", "defghi", "cdef"])("xabcdefghix")).toBe("x[secret]x");
    expect(redactor(["abab"])("xababab")).toBe("x[secret]");
  });

  test("is not confused by a secret that is part of its own mask", () => {
    expect(redactor(["secret", "other-value"])("other-value secret")).toBe("[secret] [secret]");
  });

  test.each([
    ["URL-encoded", encodeURIComponent("p@ss/w%rd&x")],
    ["escaped in JSON", JSON.stringify({ password: "p@ss/w%rd&x" })],
    ["in base64", Buffer.from("p@ss/w%rd&x").toString("base64")],
    ["in base64url", Buffer.from("p@ss/w%rd&x").toString("base64url")],
  ])("knows a value %s", (_name, text) => {
    const redacted = redactor(["p@ss/w%rd&x"])(text);
    expect(redacted).toContain(mask);
    expect(redacted).not.toMatch(/ss(%2F|\/)w|cEBzcy/);
  });

  test.each([
    ["a", "in the base64 of a longer text", "user:p@ss/w%rd&x!"],
    ["ab", "that begins one byte later", "ab:p@ss/w%rd&x"],
    ["abc", "and two", "abc:p@ss/w%rd&x:more"],
  ])("knows a value behind %s %s", (_before, _name, text) => {
    const encoded = Buffer.from(text).toString("base64");
    const redacted = redactor(["p@ss/w%rd&x"])(`Authorization: Basic ${encoded}`);
    expect(redacted).toMatch(/^Authorization: Basic .{0,8}\[secret\].{0,12}$/);
  });

  test("knows a value as the password of a URL, and in a form", () => {
    const url = new URL("postgres://shop@db/shop");
    url.password = "p@ss/w%rd&x y";
    const redact = redactor(["p@ss/w%rd&x y"]);
    expect(redact(url.href)).toBe("postgres://shop:[secret]@db/shop");
    expect(redact(new URLSearchParams({ password: "p@ss/w%rd&x y" }).toString())).toBe("password=[secret]");
  });

  test("knows a value in whichever of its characters a program escapes", () => {
    const redact = redactor(['a/b&c!d\u00e9f e"g\\h']);
    const php = String.raw`a\/b&c!d\u00e9f e\"g\\h`;
    const go = String.raw`a/b\u0026c!d\u00e9f e\"g\\h`;
    const python = "a/b%26c%21d%C3%A9f%20e%22g%5Ch";
    const dotnet = "a%2fb%26c!d%c3%a9f+e%22g%5ch";
    for (const text of [php, go, python, dotnet]) expect(redact(`<${text}>`)).toBe("<[secret]>");
  });

  test("knows the password of a value that is a URL by itself, also with several hosts", () => {
    const redact = redactor(["mongodb://shop:p%40ss-word@one:27017,two:27017/shop?w=1", "postgres://u@db/x"]);
    expect(redact("{ user: 'shop', password: 'p@ss-word', pass: 'p%40ss-word' } at db")).toBe(
      "{ user: 'shop', password: '[secret]', pass: '[secret]' } at db",
    );
  });

  test("masks each line of a key that is given as one", () => {
    const redact = redactor([String.raw`-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END KEY-----\n`]);
    expect(redact("MIIEvQIBADAN")).toBe("[secret]");
    expect(redact("-----BEGIN KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B")).not.toMatch(/MIIE|Bgkq/);
  });

  test("masks each line of a key, and a value that compose has escaped", () => {
    const redact = redactor(["-----BEGIN\n  MIIEvQIBADAN\n-----END\n", "pa$word"]);
    expect(redact("bad key: MIIEvQIBADAN")).toBe("bad key: [secret]");
    expect(redact("invalid: pa$$word")).toBe("invalid: [secret]");
  });

  test("leaves values too short to be told from words, and takes half a surrogate pair", () => {
    expect(redactor(["", "a", "abc"])("a cab abc")).toBe("a cab abc");
    expect(redactor(["\ud800abcd"])("x\ud800abcdx")).toBe("x[secret]x");
  });

  test("whatever the secrets and the text, no secret survives", () => {
    const letters = fc.string({
      unit: fc.constantFrom("a", "b", "c", "$", "\n", "%", "é"),
      minLength: 4,
      maxLength: 12,
    });
    const pieces = fc.array(
      fc.oneof(fc.nat({ max: 4 }), fc.string({ unit: fc.constantFrom("a", "b", "c", " "), maxLength: 6 })),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 5 }), pieces, (secrets, parts) => {
        const text = parts
          .map((each) => (typeof each === "number" ? (secrets[each % secrets.length] ?? "") : each))
          .join("");
        for (const piece of leftOver(redactor(secrets)(text))) {
          for (const secret of secrets) expect(piece).not.toContain(secret);
        }
      }),
    );
  });

  test("whichever characters are escaped, and how, no secret survives", () => {
    const spelled = (character: string, way: number): string => {
      if (/[a-z0-9]/.test(character) || way === 0) return character;
      if (way === 1) return encodeURIComponent(character);
      return way === 2
        ? JSON.stringify(character).slice(1, -1)
        : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    };
    const secrets = fc.string({
      unit: fc.constantFrom("a", "7", "/", "&", '"', "+", " ", "%", "é", "\n"),
      minLength: 6,
    });
    fc.assert(
      fc.property(secrets, fc.infiniteStream(fc.nat({ max: 3 })), (secret, ways) => {
        const text = Array.from(secret, (character) => spelled(character, Number(ways.next().value))).join("");
        expect(redactor([secret])(`<${text}>`)).toBe("<[secret]>");
      }),
    );
  });

  test("a text without secrets comes back as it was", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[0-9]{4,9}$/)), fc.stringMatching(/^[a-z "{}\n]*$/), (secrets, text) => {
        expect(redactor(secrets)(text)).toBe(text);
      }),
    );
  });
});

describe("redactDeep", () => {
  test("masks texts and keys, and keeps what is not text although a secret looks like it", () => {
    const redact = redactor(["true", "1234", "token-a"]);
    expect(redactDeep({ oom: true, code: 1234, log: ["it is true", null], "token-a": {} }, redact)).toEqual({
      oom: true,
      code: 1234,
      log: ["it is [secret]", null],
      "[secret]": {},
    });
  });
});
