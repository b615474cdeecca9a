import { describe, expect, test } from "@jest/globals";
import { ChangeGuard, clearanceOfEnvironment, type Clearance } from "./change-guard.ts";
import { keptPolicy } from "./policy-config.ts";

const thursdayNoon = Date.parse("2026-11-26T12:00:00Z");
const friday = Date.parse("2026-11-27T12:00:00Z");
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Zq0vA5L3DkSyjXUoOhAZxTqDlS2rDpS2lRT5V1o5Q";

function guard(policy: unknown, clearance: Clearance = {}, nowMs = friday): ChangeGuard {
  return new ChangeGuard(keptPolicy(policy), clearance, () => nowMs);
}

function refusal(of: ChangeGuard, app = "shop"): unknown {
  try {
    of.admit(app);
  } catch (error) {
    return error;
  }
  return undefined;
}

test("without a policy everything passes", () => {
  expect(refusal(guard(undefined))).toBeUndefined();
  expect(refusal(guard({}))).toBeUndefined();
});

describe("windows", () => {
  const policy = { windows: [{ days: ["mon", "tue", "wed", "thu"], from: "09:00", to: "17:00" }] };

  test("refuse a change outside, and say when the next one is", () => {
    expect(refusal(guard(policy))).toMatchObject({
      code: "WINDOW_CLOSED",
      message:
        "shop may not be changed now: changes only mon tue wed thu 09:00-17:00 (UTC). Next: Mon, 30 Nov 2026, 09:00 UTC.",
      details: { opensAt: "2026-11-30T09:00:00.000Z" },
    });
    expect(refusal(guard(policy, {}, thursdayNoon))).toBeUndefined();
  });

  test("hold for what is no app's too, such as a host's agent", () => {
    expect(() => {
      guard(policy).admit(undefined);
    }).toThrow(/^Nothing may be changed now/);
  });

  test("do not stop what a run has begun before they closed", () => {
    let nowMs = Date.parse("2026-11-26T16:59:59Z");
    const running = new ChangeGuard(keptPolicy(policy), {}, () => nowMs);
    running.admit("shop");
    nowMs += 60_000;
    expect(refusal(running)).toBeUndefined();
    expect(refusal(running, "blog")).toMatchObject({ code: "WINDOW_CLOSED" });
  });

  test("heed a reason to be outside", () => {
    expect(refusal(guard(policy, { outsideWindow: "rollback to #3" }))).toBeUndefined();
    expect(clearanceOfEnvironment({ IKOMA_OUTSIDE_WINDOW: "the shop is down" })).toEqual({
      outsideWindow: "the shop is down",
    });
  });

  test.each(["", " "])("take %j for no reason: a variable of CI that nobody filled in", (nothing) => {
    expect(refusal(guard(policy, { outsideWindow: nothing }))).toMatchObject({ code: "WINDOW_CLOSED" });
    expect(clearanceOfEnvironment({ IKOMA_OUTSIDE_WINDOW: nothing })).toEqual({});
  });

  test("a policy that cannot be read closes", () => {
    expect(refusal(guard({ windows: [{ days: ["someday"] }] }))).toMatchObject({
      code: "WINDOW_CLOSED",
      message: expect.stringContaining("ikoma:policy is not valid"),
    });
  });
});

describe("approvals", () => {
  const policy = { approvals: { approvers: { anna: key } } };

  test("are asked for before an app is changed, not for what is no app's", () => {
    expect(refusal(guard(policy))).toMatchObject({ code: "APPROVAL_MISSING" });
    expect(refusal(guard(policy, { isApproved: true }))).toBeUndefined();
    expect(() => {
      guard(policy).admit(undefined);
    }).not.toThrow();
  });
});
