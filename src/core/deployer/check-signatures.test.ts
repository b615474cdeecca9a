import { expect, test } from "@jest/globals";
import type { AgentClient } from "../transport/agent-client.ts";
import { IkomaError, type ErrorCode } from "../errors.ts";
import { checkSignatures } from "./check-signatures.ts";
import type { DeployPlanEntry, ServiceEffect } from "./deploy-plan.ts";

const stage = { app: "shop", bundle: `sha256:${"1".repeat(64)}`, images: ["shop@sha256:1"], redeploy: false };

function planWith(effect: ServiceEffect) {
  const entry: DeployPlanEntry = {
    ...{ urn: "urn", app: "shop", part: "release", name: "shop", operation: "update", changes: [], drift: [] },
    services: { web: effect },
  };
  return { stack: "prod", entries: [entry] };
}

/** What the host is asked; it answers with the error, if there is one. */
async function asked(effect: ServiceEffect, isRollback: boolean, inputs: unknown = stage, code?: ErrorCode) {
  const calls: unknown[] = [];
  const agent = {
    call: (method: string, params: unknown) => {
      calls.push([method, params]);
      return code === undefined ? Promise.resolve({}) : Promise.reject(new IkomaError(code, "no"));
    },
  } as unknown as AgentClient;
  const plan = planWith(effect);
  await checkSignatures({ plan, staged: { shop: inputs } }, isRollback, (_app, use) => use(agent));
  return calls;
}

test("a release that is deployed anew has to be signed; one that stays, or a rollback, may be known to the host", async () => {
  const call = (isKnownEnough: boolean) => [["bundle.check", { stage, isKnownEnough }]];
  expect(await asked("starts-anew", false)).toEqual(call(false));
  expect(await asked("starts", false)).toEqual(call(false));
  expect(await asked("keeps-running", false)).toEqual(call(true));
  expect(await asked("starts-anew", true)).toEqual(call(true));
});

test("the host's verdict ends the plan; that it cannot be asked does not", async () => {
  await expect(asked("starts", false, stage, "BUNDLE_UNSIGNED")).rejects.toMatchObject({ code: "BUNDLE_UNSIGNED" });
  await expect(asked("starts", false, stage, "BUNDLE_SIGNATURE_INVALID")).rejects.toThrow("no");
  await expect(asked("starts", false, stage, "HOST_UNREACHABLE")).resolves.toHaveLength(1);
});

test("what a preview does not know yet is left to the deploy", async () => {
  expect(await asked("starts", false, { ...stage, images: "04da6b54-80e4-46f7-96ec-b56ff0331ba9" })).toEqual([]);
});
