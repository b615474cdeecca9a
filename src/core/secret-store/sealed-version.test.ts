import { beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { createIdentity } from "./identity.ts";
import { openValue, rewrapKey, sealValue, type VersionHead } from "./sealed-version.ts";

interface Reader {
  readonly identity: string;
  readonly recipient: string;
}

let anna: Reader;
let ben: Reader;

async function newReader(): Promise<Reader> {
  const { text, recipient } = await createIdentity();
  return { recipient, identity: text.trim().split("\n").at(-1) ?? "" };
}

beforeAll(async () => {
  [anna, ben] = await Promise.all([newReader(), newReader()]);
});

const head: VersionHead = { environment: "prod", app: "shop", name: "KEY", version: 3, createdAtMs: 1_790_000_000_000 };
const heads = fc.record({
  environment: fc.constantFrom("prod", "preprod", "pro", "prod/shop"),
  app: fc.constantFrom("shop", "blog", "shop/KEY"),
  name: fc.constantFrom("KEY", "KEY2", "OTHER"),
  version: fc.integer({ min: 1, max: 4 }),
  createdAtMs: fc.constantFrom(head.createdAtMs, head.createdAtMs + 1),
});
const values = fc.string({ unit: "binary", minLength: 1, maxLength: 300 });
const runs = { numRuns: 40 };

test("every value comes back to each recipient, and is not to be seen in what is kept", async () => {
  await fc.assert(
    fc.asyncProperty(heads, values, async (at, value) => {
      const sealed = await sealValue(at, value, [anna.recipient, ben.recipient]);
      for (const { identity } of [anna, ben]) expect(await openValue(at, sealed, [identity])).toBe(value);
      if (value.length > 8) expect(sealed.content.includes(Buffer.from(value))).toBe(false);
    }),
    runs,
  );
});

test("the same value sealed twice has nothing in common but its length", async () => {
  const [one, other] = await Promise.all([1, 2].map(() => sealValue(head, "the same value", [anna.recipient])));
  expect(one?.content.length).toBe(other?.content.length);
  expect(one?.contentDigest).not.toBe(other?.contentDigest);
  expect(one?.wrappedKey.equals(other?.wrappedKey ?? Buffer.alloc(0))).toBe(false);
});

test("what was sealed as one version opens as no other", async () => {
  const sealed = await sealValue(head, "value", [anna.recipient]);
  await fc.assert(
    fc.asyncProperty(heads, async (other) => {
      fc.pre(JSON.stringify(other) !== JSON.stringify(head));
      await expect(openValue(other, sealed, [anna.identity])).rejects.toMatchObject({ code: "STORE_TAMPERED" });
    }),
    runs,
  );
});

test("a flipped bit anywhere, in value or key, or a cut, is noticed", async () => {
  const sealed = await sealValue(head, "some value of a secret", [anna.recipient]);
  const parts = fc.constantFrom("content" as const, "wrappedKey" as const);
  await fc.assert(
    fc.asyncProperty(parts, fc.nat(), fc.nat(7), fc.boolean(), async (part, position, bit, isCut) => {
      const altered = Buffer.from(sealed[part]);
      const at = position % altered.length;
      altered[at] = (altered[at] ?? 0) ^ (1 << bit);
      const other = { ...sealed, [part]: isCut ? sealed[part].subarray(0, at) : altered };
      await expect(openValue(head, other, [anna.identity])).rejects.toMatchObject({
        code: expect.stringMatching(/^STORE_(TAMPERED|IDENTITY)$/) as unknown,
      });
    }),
    { numRuns: 120 },
  );
});

test("the key of another version, of the same secret and reader, does not open it", async () => {
  const [old, now] = await Promise.all(["old", "now"].map((value) => sealValue(head, value, [anna.recipient])));
  if (old === undefined || now === undefined) throw new Error("nothing was sealed");
  const mixed = { content: now.content, wrappedKey: old.wrappedKey };
  await expect(openValue(head, mixed, [anna.identity])).rejects.toMatchObject({ code: "STORE_TAMPERED" });
  await expect(rewrapKey(head, mixed, [anna.identity], [ben.recipient])).rejects.toMatchObject({
    code: "STORE_TAMPERED",
  });
});

test("another's identity opens nothing, until the key is wrapped for it", async () => {
  const sealed = await sealValue(head, "value", [anna.recipient]);
  await expect(openValue(head, sealed, [ben.identity])).rejects.toMatchObject({
    code: "STORE_IDENTITY",
    message: "prod/shop/KEY version 3 is not sealed for the identity that is here.",
  });
  const wrappedKey = await rewrapKey(head, sealed, [ben.identity, anna.identity], [ben.recipient]);
  expect(await openValue(head, { ...sealed, wrappedKey }, [ben.identity])).toBe("value");
  await expect(openValue(head, { ...sealed, wrappedKey }, [anna.identity])).rejects.toMatchObject({
    code: "STORE_IDENTITY",
  });
});
