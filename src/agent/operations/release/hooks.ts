import { IkomaError, toIkomaError } from "../../../core/errors.ts";
import type { Hook, ReleaseSpec } from "../../../core/release/release-spec.ts";
import { labels } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host, OperationContext } from "../../host.ts";
import { renderHook } from "../compose-project.ts";
import { awaitJob, type JobFailure } from "../job-run.ts";
import { inOrder } from "./hook-order.ts";

/** Whose jobs are run. */
interface Hooked {
  app: string;
  number: number;
  spec: ReleaseSpec;
}

type Moment = Hook["run"];

/**
 * Runs the release's jobs of this moment, one after another, each once, in the release's own image and network. They
 * leave no container, however they end.
 *
 * @throws IkomaError HOOK_FAILED at the first that fails or takes too long
 */
export async function runHooks(host: Host, hooked: Hooked, moment: Moment, op: OperationContext): Promise<void> {
  for (const service of inOrder(hooked.spec.services, moment)) {
    op.step("hook", `${moment} ${service}`);
    try {
      await runHook(host, hooked, service, moment, op);
    } finally {
      await removeHooks(host, hooked.app, hooked.number);
    }
  }
}

/** The release serves already: what fails here is told, and undoes nothing. */
export async function runPostHooks(host: Host, hooked: Hooked, op: OperationContext): Promise<void> {
  try {
    await runHooks(host, hooked, "post", op);
  } catch (error) {
    op.warn("hook", `${toIkomaError(error).message} #${hooked.number} serves all the same.`);
  }
}

/** Removes the containers of a deployment's jobs, also of one that a crash of the agent cut off. */
export async function removeHooks(host: Host, app: string, number: number): Promise<void> {
  const found = await host.containers.list(ownLabels(app, "release", number));
  const hooks = found.filter((each) => each.Config.Labels?.[labels.hook] !== undefined);
  await Promise.all(hooks.map((each) => host.containers.stopAndRemove(each.Id)));
}

async function runHook(
  host: Host,
  { app, number, spec }: Hooked,
  service: string,
  moment: Moment,
  op: OperationContext,
): Promise<void> {
  const { timeoutSeconds } = spec.services[service]?.hook ?? { timeoutSeconds: 0 };
  const { subnet = "" } = host.deployments.require(app, number);
  await host.compose.up(renderHook(spec, number, { service, subnet }, host.files), [service], op.signal);
  const [container] = (await host.containers.list(ownLabels(app, "release", number))).filter(
    (each) => each.Config.Labels?.[labels.hook] !== undefined,
  );
  const failed = (what: string, failure: JobFailure): IkomaError => hookError(what, { service, moment, ...failure });
  await awaitJob(host, { service, container: container?.Id ?? "", timeoutSeconds, failed }, op);
}

interface HookFailure extends JobFailure {
  service: string;
  moment: Moment;
}

function hookError(what: string, details: HookFailure): IkomaError {
  const last = details.log.at(-1);
  const said = last === undefined ? "." : `; its last line: ${last}`;
  return new IkomaError("HOOK_FAILED", `The ${details.moment} hook ${details.service} ${what}${said}`, {
    details: { ...details },
  });
}
