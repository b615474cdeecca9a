import { afterEach, expect, test } from "@jest/globals";
import { IkomaError } from "../../src/core/errors.ts";
import type { Program } from "../../src/core/engine/language-server.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { hostAddress, hostProgram, releaseInputs } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

const refusal = new IkomaError("CONFIG_MISSING", "shop needs GREETING: no value is set.");

const refuses: readonly { when: string; program: Program }[] = [
  { when: "before it registers anything", program: () => Promise.reject(refusal) },
  {
    when: "after some of its resources",
    program: async () => {
      await hostProgram("ikoma:vps:Site", { app: "shop", domains: ["shop.test"] })();
      throw refusal;
    },
  },
];

test.each(refuses)("a program that refuses $when fails the run and deletes nothing", async ({ program }) => {
  const agent = new FakeAgent();
  const stack = await TestStack.create({ [hostAddress]: agent });
  stacks.push(stack);
  await stack.up(hostProgram("ikoma:vps:Release", releaseInputs("v1")));

  await expect(stack.up(program)).rejects.toBe(refusal);
  expect(agent.part("shop", "release")?.exists).toBe(true);
  expect(await stack.stateText()).toContain("ikoma:vps:Release");
  await expect(stack.preview(program)).rejects.toBe(refusal);
});
