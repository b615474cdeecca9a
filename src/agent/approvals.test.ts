import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Approvals } from "./approvals.ts";

let folder: string;
let approvals: Approvals;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-approvals-"));
  approvals = new Approvals(folder);
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const approval = (number: number) => ({ statement: `statement ${number}`, signature: `signature ${number}` });

test("approvals are kept by app, each once, the oldest first", async () => {
  for (const number of [1, 2, 1]) await approvals.add("shop", approval(number));
  await approvals.add("blog", approval(3));
  expect(await approvals.list("shop")).toEqual([approval(1), approval(2)]);
  expect(await approvals.list("blog")).toEqual([approval(3)]);
  expect(await approvals.list("wiki")).toEqual([]);
});

test("a hundred of an app are kept, the newest", async () => {
  for (let number = 1; number <= 103; number += 1) await approvals.add("shop", approval(number));
  const kept = await approvals.list("shop");
  expect(kept).toHaveLength(100);
  expect(kept).toContainEqual(approval(103));
  expect(kept).not.toContainEqual(approval(3));
});

test("what a crash left half written is none; what is forgotten is gone", async () => {
  await approvals.add("shop", approval(1));
  await writeFile(join(folder, "shop/.000001.json.new"), "{");
  expect(await approvals.list("shop")).toEqual([approval(1)]);
  await approvals.forget("shop");
  expect(await readdir(folder)).toEqual([]);
});
