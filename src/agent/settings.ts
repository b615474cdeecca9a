import { join } from "node:path";
import process from "node:process";
import * as z from "zod";
import { signaturePolicy } from "../core/signing/signature-policy.ts";

/** What the installation gives a container of the agent as `IKOMA_SETTINGS`: no two containers share theirs. */
const agentSettings = z.strictObject({
  httpPort: z.number().int().default(80),
  httpsPort: z.number().int().default(443),
  networkPool: z.cidrv4().default("10.210.0.0/16"),
  edgeImage: z.string(),
  imageBudgetGb: z.number().positive().default(10),
  signatures: signaturePolicy.optional(),
  /** The Bridge's API that it dials out to. */
  api: z.strictObject({ url: z.url(), caCert: z.string().optional() }).optional(),
});
export type AgentSettings = z.infer<typeof agentSettings>;

/** Where things are under the agent's folder (`/var/lib/ikoma` on a host). */
export function agentPaths(root: string) {
  return {
    root,
    database: join(root, "agent/ledger.db"),
    /** The ledger as it was before a take-over that is not settled yet. */
    ledgerBefore: join(root, "agent/ledger-before.db"),
    /** Locked by the one agent that works; see {@link AgentLock}. */
    lock: join(root, "agent/lock.db"),
    key: join(root, "agent/host.key"),
    /** What the ledger can be rebuilt from: a record an app. Not beside the ledger, so that one loss is not both. */
    releases: join(root, "releases"),
    /** Signed approvals of plans, a folder an app. */
    approvals: join(root, "approvals"),
    /** A file of a phase's name in here holds every operation that enters the phase, until it is gone; `sweep` the sweep. */
    hold: join(root, "agent/hold"),
    socket: join(root, "run/agent.sock"),
    edge: join(root, "edge"),
    /** Secrets and configurations of apps that their containers mount. */
    files: join(root, "files"),
    /** Backups of the apps' databases. No removal of an app and no purge deletes them. */
    backups: join(root, "backups"),
    dockerConfig: join(root, "docker/config.json"),
    /** What it proves itself with to the API. */
    apiToken: join(root, "agent/api-token"),
  };
}
export type AgentPaths = ReturnType<typeof agentPaths>;

/** @throws a ZodError that names what is wrong, a SyntaxError where it is no JSON */
export function readSettings(env: NodeJS.ProcessEnv = process.env): AgentSettings {
  return agentSettings.parse(JSON.parse(env["IKOMA_SETTINGS"] ?? "{}"));
}
