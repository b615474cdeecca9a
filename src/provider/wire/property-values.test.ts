import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Struct } from "./proto.ts";
import {
  decodeMap,
  encodeMap,
  hasUnknown,
  reveal,
  sealedLike,
  Secret,
  secretTexts,
  unknownValue,
  type PropertyMap,
} from "./property-values.ts";

// The SDK's protobuf library loses a key of this name; nothing that a compose file may name is called so.
const key = fc.string().filter((name) => name !== "__proto__");

const { value: anyValue } = fc.letrec<{ value: PropertyMap[string] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(unknownValue),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3 }),
    tie("value").map((value) => new Secret(value)),
  ),
}));

test("what is written to the wire is read back the same, secrets and unknown values included", () => {
  fc.assert(
    fc.property(fc.dictionary(key, anyValue), (map) => {
      const wire = encodeMap(map).serializeBinary();
      expect(decodeMap(Struct.deserializeBinary(wire))).toEqual(map);
    }),
  );
});

test("an output value on the wire is a secret, an unknown or the value itself", () => {
  const signature = { "4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4" };
  const wire = encodeMap({
    known: { ...signature, value: 1, dependencies: [] },
    secret: { ...signature, value: "x", secret: true },
    unknown: signature,
  });
  expect(decodeMap(wire)).toEqual({ known: 1, secret: new Secret("x"), unknown: unknownValue });
});

test("a secret shows itself to no printer", () => {
  const value = { password: new Secret("hunter2") };
  expect(`${String(value.password)} ${JSON.stringify(value)}`).toBe('[secret] {"password":"[secret]"}');
  expect(reveal(value)).toEqual({ password: "hunter2" });
});

test("a value takes over what is secret in another, and stays secret where it is", () => {
  const value = { a: "1", b: new Secret("2"), c: [{ d: "3" }, "4"] };
  const model = { a: new Secret("x"), b: "y", c: [{ d: new Secret("z") }], e: new Secret("w") };
  const sealed = { a: new Secret("1"), b: new Secret("2"), c: [{ d: new Secret("3") }, "4"] };
  expect(sealedLike(value, model)).toEqual(sealed);
});

test("what is not known yet is found at any depth, and in a secret", () => {
  expect(hasUnknown({ known: [new Secret({ a: 1 })], nothing: null })).toBe(false);
  expect(hasUnknown({ a: [1, new Secret({ b: unknownValue })] })).toBe(true);
});

test("texts to redact are all that is secret, and the passwords inside of URLs", () => {
  const values = {
    plain: "visible",
    url: new Secret("postgres://app:p%40ss@db/x"),
    nested: new Secret({ key: "k3y" }),
    odd: new Secret("http://a:%zz@b"),
  };
  expect(secretTexts(values)).toEqual(["postgres://app:p%40ss@db/x", "p%40ss", "p@ss", "k3y", "http://a:%zz@b", "%zz"]);
});
