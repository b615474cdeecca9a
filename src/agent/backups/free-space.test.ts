import { expect, test } from "@jest/globals";
import { tmpdir } from "node:os";
import { expectedDumpBytes, freeBytesAt, requireRoom, reserveBytes } from "./free-space.ts";

test("what would fill the disk is refused before it begins, with both figures", () => {
  const room = { what: "The backup of shop", neededBytes: 50e6 };
  expect(() => {
    requireRoom({ ...room, freeBytes: reserveBytes + 50e6 });
  }).not.toThrow();
  expect(() => {
    requireRoom({ ...room, freeBytes: reserveBytes + 50e6 - 1 });
  }).toThrow(
    expect.objectContaining({
      code: "DISK_FULL",
      message: "The backup of shop may need 50 MB of disk; 319 MB are free, of which 269 MB stay free.",
    }),
  );
});

test("a dump is expected to be little larger than the last one, and never larger than the database", () => {
  expect(expectedDumpBytes(1000, undefined)).toBe(1000);
  expect(expectedDumpBytes(1000, { dumpBytes: 101, databaseBytes: 1000 })).toBe(152);
  expect(expectedDumpBytes(900, { dumpBytes: 101, databaseBytes: 1000 })).toBe(152);
  expect(expectedDumpBytes(1000, { dumpBytes: 900, databaseBytes: 1000 })).toBe(1000);
});

test("a database that has grown since has a dump that has grown", () => {
  expect(expectedDumpBytes(50_000, { dumpBytes: 101, databaseBytes: 1000 })).toBe(7575);
  expect(expectedDumpBytes(50_000, { dumpBytes: 1, databaseBytes: 0 })).toBe(50_000);
});

test("the free disk of a folder is that of its file system", async () => {
  expect(await freeBytesAt(tmpdir())).toBeGreaterThan(0);
  expect(await freeBytesAt("/proc")).toBe(0);
});
