import { createHash } from "node:crypto";
import { healthChecks } from "../../core/services/supabase/self-hosted/health-checks.ts";
import { gatewayPort } from "../../core/services/supabase/self-hosted/stack-parts.ts";
import { labels, type Container } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import { describeAnswer, probe } from "../gate/http-probe.ts";
import type { Host } from "../host.ts";
import { redactor } from "../../core/redaction.ts";
import type { SupabaseQuestion, SupabaseView } from "../protocol/supabase-view.ts";

const answerTimeoutMs = 5_000;

type PartView = SupabaseView["parts"][string];

/** Variables in which containers have a secret of the settings, by part. */
const carried: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gateway: {
    ANON_KEY: "ANON_KEY",
    SUPABASE_ANON_KEY: "ANON_KEY",
    SERVICE_ROLE_KEY: "SERVICE_ROLE_KEY",
    SUPABASE_SERVICE_KEY: "SERVICE_ROLE_KEY",
  },
  auth: { GOTRUE_JWT_SECRET: "JWT_SECRET" },
};

/**
 * How the parts of a self-hosted Supabase are: their containers, whether these have the secrets of the settings, and
 * what they answer through the gateway. Asked on the host itself, for the domain may not lead here yet.
 */
export async function readSupabase(host: Host, question: SupabaseQuestion): Promise<SupabaseView> {
  const { app, parts } = question;
  const [release, accessories] = await Promise.all([
    host.containers.list(ownLabels(app, "release")),
    host.containers.list(ownLabels(app, "accessories")),
  ]);
  const current = String(host.deployments.current(app)?.number ?? "");
  const all = [...release.filter((each) => each.Config.Labels?.[labels.deployment] === current), ...accessories];
  const found = (service: string): Container[] =>
    all.filter((each) => each.Config.Labels?.[labels.service] === service);
  const gateway = addressOf(askedOf(found(parts["gateway"] ?? "")));
  const views = Object.entries(parts).map(async ([part, service]) => {
    const replicas = found(service);
    const asked = askedOf(replicas);
    const state = asked?.State.Status ?? "missing";
    const problem =
      containerProblem(asked) ??
      secretProblem(part, replicas, question.secrets) ??
      (await answerProblem(part, { own: addressOf(asked), gateway }, question.anonKey));
    return [part, { service, state, ...(problem !== undefined && { problem }) }] satisfies [string, PartView];
  });
  return { parts: Object.fromEntries(await Promise.all(views)) };
}

/** Of several replicas one that runs: that another is down is not what is asked here. */
function askedOf(replicas: readonly Container[]): Container | undefined {
  return replicas.find(({ State }) => State.Running) ?? replicas[0];
}

function addressOf(container: Container | undefined): string | undefined {
  if (container?.State.Running !== true) return undefined;
  return Object.values(container.NetworkSettings.Networks).find(({ IPAddress }) => IPAddress !== "")?.IPAddress;
}

function containerProblem(container: Container | undefined): string | undefined {
  if (container === undefined) return "its container is not there";
  return container.State.Running ? undefined : `its container does not run (${container.State.Status})`;
}

function secretProblem(
  part: string,
  replicas: readonly Container[],
  secrets: SupabaseQuestion["secrets"],
): string | undefined {
  const variables = replicas.flatMap((each) => each.Config.Env ?? []).map((variable) => variable.split(/=(.*)/s));
  const other = variables.find(([name = "", value = ""]) => {
    const wanted = secrets[carried[part]?.[name] ?? ""];
    return wanted !== undefined && wanted !== createHash("sha256").update(value).digest("hex");
  });
  return other && `it runs with another ${other[0] ?? ""} than the settings have`;
}

/** The first answer that says it, of the part itself or of the gateway. */
async function answerProblem(
  part: string,
  { own, gateway }: { own: string | undefined; gateway: string | undefined },
  anonKey: string,
): Promise<string | undefined> {
  const headers = { apikey: anonKey, authorization: `Bearer ${anonKey}` };
  for (const { path, port, isWell } of healthChecks.filter((each) => each.part === part)) {
    const address = port === undefined ? gateway : own;
    if (address === undefined) return "it cannot be asked, as the gateway does not run";
    const target = { address, port: port ?? gatewayPort };
    const answer = await probe(target, { path, host: address, timeoutMs: answerTimeoutMs, headers });
    const where = port === undefined ? "through the gateway" : `at port ${port}`;
    if (!("status" in answer) || !isWell(answer))
      return `${path} is not answered well ${where}: ${describeAnswer(answer, redactor([anonKey]))}`;
  }
  return undefined;
}
