import { afterEach, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { FakeAgent, fakeHosts } from "../doubles/agent.ts";
import { upByAutomationApi } from "./automation-api.ts";
import { hostAddress, hostProgram, releaseInputs } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

const checkpoint = z.looseObject({
  checkpoint: z.looseObject({ latest: z.looseObject({ resources: z.array(z.record(z.string(), z.unknown())) }) }),
});

/** What the state says of resources, without times, places in the source, and what is random in each stack. */
async function resources(stack: TestStack): Promise<unknown> {
  const { latest } = checkpoint.parse(JSON.parse(await stack.stateText())).checkpoint;
  const text = JSON.stringify(latest.resources, (key, value: unknown) =>
    ["created", "modified", "sourcePosition", "stackTrace", "ciphertext"].includes(key) ? undefined : value,
  );
  return JSON.parse(text.replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "ID"));
}

test("the runner and the plain Automation API leave the same state", async () => {
  const [ours, plain] = [new FakeAgent(), new FakeAgent()];
  const [first, second] = [
    await TestStack.create({ [hostAddress]: ours }),
    await TestStack.create({ [hostAddress]: plain }),
  ];
  stacks.push(first, second);
  for (const version of ["v1", "v2"]) {
    const program = hostProgram("ikoma:vps:Release", releaseInputs(version, { PASSWORD: pulumi.secret("hunter2") }));
    await first.up(program);
    await upByAutomationApi({
      workDir: second.workDir,
      stackName: "dev",
      env: second.env,
      access: fakeHosts(second.agents),
      program,
    });
    expect(await resources(first)).toEqual(await resources(second));
  }
  expect(ours.started).toHaveLength(2);
  expect(plain.started).toHaveLength(2);
}, 300_000);
