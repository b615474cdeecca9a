import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { approvalText, type ApprovedThing, type SignedApproval } from "../policies/approval.ts";
import { findSigner } from "../policies/approver-key.ts";
import { policyConfig, type ApprovalPolicy } from "../policies/policy-config.ts";
import { signWithSshKey } from "../policies/ssh-signature.ts";
import type { DeployProject } from "../project/deploy-project.ts";
import type { DeployPlan } from "./deploy-plan.ts";
import { countApprovals, requireApprovals, thingToApprove } from "./plan-approvals.ts";

let folder: string;
let policy: ApprovalPolicy;

const nowMs = Date.parse("2026-11-26T12:00:00Z");
const thing: ApprovedThing = {
  project: "shop",
  stack: "prod",
  plan: `sha256:${"a".repeat(64)}`,
  bundles: { shop: `registry.example/shop@sha256:${"b".repeat(64)}` },
  config: `sha256:${"c".repeat(64)}`,
  commit: "0123456789abcdef0123456789abcdef01234567",
};

const keyOf = (name: string): string => join(folder, name);
const publicKeyOf = (name: string): string =>
  readFileSync(`${keyOf(name)}.pub`, "utf8")
    .split(" ")
    .slice(0, 2)
    .join(" ");

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "ikoma-approvals-test-"));
  for (const name of ["anna", "ben", "eve"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyOf(name)]);
  const approvers = { anna: publicKeyOf("anna"), ben: publicKeyOf("ben") };
  const given = policyConfig.parse({ approvals: { required: 2, approvers, validHours: 1 } }).approvals;
  if (given === undefined) throw new Error("the policy has approvals");
  policy = given;
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Said {
  readonly approver?: string;
  readonly key?: string;
  readonly thing?: Partial<ApprovedThing>;
  readonly atMs?: number;
}

async function approval({
  approver = "anna",
  key = approver,
  thing: other,
  atMs = nowMs,
}: Said = {}): Promise<SignedApproval> {
  const statement = approvalText({ ...thing, ...other }, approver, atMs);
  return { statement, signature: await signWithSshKey(statement, keyOf(key), "ikoma-approval") };
}

const count = (...approvals: SignedApproval[]) => countApprovals(approvals, thing, policy, nowMs);

test("two people's approvals of exactly this are two; the same person's twice are one", async () => {
  const [anna, again, ben] = await Promise.all([
    approval(),
    approval({ atMs: nowMs - 1 }),
    approval({ approver: "ben" }),
  ]);
  expect(await count(anna, again, ben)).toEqual({ required: 2, approvedBy: ["anna", "ben"], refused: [] });
  expect((await count(anna, again)).approvedBy).toEqual(["anna"]);
});

describe("does not count", () => {
  test.each<[string, Said]>([
    ["is for another bundle", { thing: { bundles: { shop: "registry.example/shop@sha256:0" } } }],
    ["is for other settings", { thing: { config: `sha256:${"0".repeat(64)}` } }],
    ["is for shop/preprod", { thing: { stack: "preprod" } }],
    ["is for commit aaaaaaaaaaaa, not for commit 0123456789ab", { thing: { commit: "a".repeat(40) } }],
    ["is for a folder outside of Git, not for commit 0123456789ab", { thing: { commit: null } }],
    ["is older than 1 h", { atMs: nowMs - 3_600_001 }],
    ["is from the future; compare the clocks", { atMs: nowMs + 300_001 }],
    ["is not signed with that person's key", { key: "eve" }],
  ])("one that %s", async (reason, said) => {
    expect(await count(await approval(said))).toEqual({
      required: 2,
      approvedBy: [],
      refused: [`that of anna ${reason}`],
    });
  });

  test("one of somebody who is no approver", async () => {
    expect((await count(await approval({ approver: "eve" }))).refused).toEqual([
      "that of eve is no approver of this stack",
    ]);
  });

  test("one of another plan, and it is not even told", async () => {
    const other = await approval({ thing: { plan: `sha256:${"0".repeat(64)}` } });
    expect(await count(other, { statement: "{}", signature: "" })).toMatchObject({ approvedBy: [], refused: [] });
  });

  test("one whose text was altered after it was signed", async () => {
    const signed = await approval({ atMs: nowMs - 7_200_000 });
    const altered = { ...signed, statement: signed.statement.replace(String(nowMs - 7_200_000), String(nowMs)) };
    expect((await count(altered)).refused).toEqual(["that of anna is not signed with that person's key"]);
  });
});

test("what is missing is told with who has approved and the next command", async () => {
  const some = await count(await approval());
  expect(() => {
    requireApprovals(some, thing);
  }).toThrow(
    expect.objectContaining({
      code: "APPROVAL_MISSING",
      message: "The plan needs 2 approvals; so far: anna.",
      hint: expect.stringContaining(`ikoma deploy approve -s prod --plan ${thing.plan}`) as unknown,
    }),
  );
  expect(() => {
    requireApprovals({ required: 1, approvedBy: ["ben"], refused: [] }, thing);
  }).not.toThrow();
});

test("an approval is bound to the settings as they read and to the commit, not to comments", async () => {
  const file = join(folder, "Pulumi.prod.yaml");
  const project: DeployProject = { folder, name: "shop", stackName: "prod", stackFile: file, backendUrl: undefined };
  const settings = { hosts: {}, apps: {} };
  const entry = {
    urn: "urn",
    app: "shop",
    part: "release",
    name: "shop",
    operation: "update",
    changes: [],
    drift: [],
    services: {},
  } as const;
  const plan: DeployPlan = { stack: "prod", entries: [entry] };
  const edit = { app: "shop", set: { bundle: "registry.example/shop@sha256:1" }, remove: [] };
  const bound = async (text: string): Promise<ApprovedThing> => {
    writeFileSync(file, text);
    return thingToApprove(project, settings, plan, edit);
  };
  const first = await bound("config:\n  ikoma:apps: {shop: {host: a}}\n");
  expect(first).toMatchObject({ bundles: { shop: edit.set.bundle }, commit: null, stack: "prod" });
  expect(await bound("# for Monday\nconfig:\n  ikoma:apps:\n    shop: {host: a}\n")).toEqual(first);
  expect((await bound("config:\n  ikoma:apps: {shop: {host: b}}\n")).config).not.toBe(first.config);
  execFileSync("git", ["init", "-q", folder]);
  const commit = ["-c", "user.name=a", "-c", "user.email=a@example", "commit", "-q", "--allow-empty", "-m", "first"];
  execFileSync("git", ["-C", folder, ...commit]);
  expect((await bound("config: {}\n")).commit).toMatch(/^[0-9a-f]{40}$/);
});

describe("the signer", () => {
  test("is the approver whose key is named", async () => {
    const signer = await findSigner(policy, keyOf("ben"));
    expect(signer.approver).toBe("ben");
    const statement = approvalText(thing, "ben", nowMs);
    expect((await count({ statement, signature: await signer.sign(statement) })).approvedBy).toEqual(["ben"]);
  });

  test("is nobody whose key the policy does not name", async () => {
    await expect(findSigner(policy, keyOf("eve"))).rejects.toMatchObject({
      code: "HOST_AUTH",
      hint: expect.stringContaining("anna, ben") as unknown,
    });
    await expect(findSigner(policy, keyOf("nobody"))).rejects.toMatchObject({ code: "HOST_AUTH" });
  });

  test("is not let through with another's public key beside a private one", async () => {
    writeFileSync(keyOf("mixed"), readFileSync(keyOf("eve")), { mode: 0o600 });
    writeFileSync(`${keyOf("mixed")}.pub`, readFileSync(`${keyOf("anna")}.pub`));
    const signer = await findSigner(policy, keyOf("mixed"));
    await expect(signer.sign("text")).rejects.toMatchObject({ code: "HOST_AUTH" });
  });
});
