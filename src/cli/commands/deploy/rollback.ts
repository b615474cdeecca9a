import type { CommandModule } from "yargs";
import type { Deployment } from "../../../agent/protocol/views.ts";
import type { AgentClient } from "../../../core/transport/agent-client.ts";
import type { Clearance } from "../../../core/policies/change-guard.ts";
import type { KeptSecrets, RollbackEdit } from "../../../core/deployer/deploy-rollback.ts";
import { programsOwn } from "../../../core/config/bridge-names.ts";
import { requireConsent } from "../../confirm.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { shortReference } from "../../output/quantities.ts";
import { withAppOption, withEngineOptions, type EngineArguments } from "./deploy-options.ts";
import type { DeploySession, ShownRun } from "./deploy-session.ts";

interface RollbackArguments extends EngineArguments {
  readonly app: string | undefined;
  readonly to: string | undefined;
  readonly "with-secrets": boolean;
}

interface Rollback extends RollbackEdit {
  readonly app: string;
  readonly target: Deployment;
  /** Undefined where they stay as they are. */
  readonly secrets: KeptSecrets | undefined;
  /** The deployment that they are from already. */
  readonly secretsBefore: number | undefined;
  /** Migrations that came since, and stay. */
  readonly migrations: readonly string[];
}

/** `ikoma deploy rollback`: a forward deploy of what an earlier deployment was. */
const command: CommandModule<GlobalArguments, RollbackArguments> = {
  command: "rollback",
  describe: "Go back to an earlier deployment: its bundle and its settings; secrets and data stay",
  builder: (parser) =>
    withEngineOptions(withAppOption(parser))
      .option("to", { ...oneText, describe: "Version or number (v1.4.0, #42; default: the last good one before)" })
      .option("with-secrets", {
        type: "boolean",
        default: false,
        describe: "Bring back the values that its secrets had as well, which its host keeps",
      })
      .example("$0 deploy rollback -s prod", "To the last good deployment before the current")
      .example("$0 deploy rollback -s prod --to '#42' --yes", "To this one, without asking")
      .example("$0 deploy rollback -s prod --with-secrets", "A renewed secret was what broke it"),
  handler: rollBack,
};

export default command;

async function rollBack(argv: RollbackArguments): Promise<void> {
  requireConsent(argv);
  let startedMs = performance.now();
  const { inDeploySession } = await import("./deploy-session.ts");
  await inDeploySession(argv, async (session) => {
    const rollback = await findTarget(session, argv);
    const stack = session.project.stackName;
    tellScope(session, rollback);
    const { leaveToApply } = await import("./plan-leave.ts");
    const question = `Go back to ${nameOf(rollback.target)} in ${stack}?`;
    const needsNoApprovals = session.settings.policy?.approvals?.rollbacks !== true;
    const { edit, app, target } = rollback;
    const run = { edit, onlyApp: app, notes: { rollbackTo: target.number }, clearance: clearanceOf(rollback) };
    const leave = await leaveToApply(session, run, argv, { question, needsNoApprovals });
    if (leave === undefined) return;
    if (!argv.yes) startedMs = performance.now();
    await goBack(session, rollback, argv, { startedMs, beforeAnother: leave.beforeAnother });
  });
}

async function findTarget(session: DeploySession, argv: RollbackArguments): Promise<Rollback> {
  const { project, settings, progress, signal, waitForHostMs } = session;
  const [{ chooseApp, hostOf }, { chooseRollbackTarget, keptSecrets, migrationsSince, rollbackEdit }, { withAgent }] =
    await Promise.all([
      import("../../../core/project/deploy-stack-file.ts"),
      import("../../../core/deployer/deploy-rollback.ts"),
      import("../../host-agent.ts"),
    ]);
  const app = chooseApp(settings, argv.app, project.stackName);
  const current = settings.apps[app];
  if (current === undefined) throw new TypeError(`${app} was chosen and is not there`);
  const left = programsOwn(project.stackName, app);
  const { hasAccessories, variables } = await accessoriesOf(current.accessoriesBundle ?? current.bundle);
  const staying = [...variables, ...(settings.secretNames?.[app] ?? [])];
  progress.begin({ id: "ledger", title: `read the ledger of ${app} on ${current.host}` });
  const onQueued = (message: string): void => {
    progress.message(message, "warning");
  };
  const away = { signal, waitForHostMs, onQueued };
  const read = async (agent: AgentClient): Promise<Rollback> => {
    const { deployments } = await agent.call("app.history", { app, limit: 500 });
    const target = chooseRollbackTarget(deployments, argv.to);
    const { number } = target;
    const { source } = await agent.call("app.deployment", { app, number });
    const migrations = migrationsSince(nameOf(target), await agent.call("app.migrations", { app, number }));
    const secrets = argv["with-secrets"]
      ? keptSecrets(target, (await agent.call("app.secrets", { app, number })).secrets, left)
      : undefined;
    progress.end("ledger", "done", nameOf(target));
    const edit = rollbackEdit(app, current, source, { hasAccessories, staying, secrets });
    return { app, target, secrets, secretsBefore: current.secretsOf?.deployment, migrations, ...edit };
  };
  return withAgent(hostOf(settings, app), read, away);
}

interface AccessoriesNow {
  readonly hasAccessories: boolean;
  /** Names of the variables that they are made with. */
  readonly variables: readonly string[];
}

/** A bundle that cannot be read now may have some: pinned it stays as it is in any case. */
async function accessoriesOf(reference: string | undefined): Promise<AccessoriesNow> {
  if (reference === undefined) return { hasAccessories: false, variables: [] };
  const [{ readBundle }, { variablesUsedBy }] = await Promise.all([
    import("../../../core/bundle/bundle-store.ts"),
    import("../../../core/release/resolve-release.ts"),
  ]);
  const manifest = await readBundle(reference).then(
    (bundle) => bundle.manifest,
    () => undefined,
  );
  if (manifest === undefined) return { hasAccessories: true, variables: [] };
  const hasAccessories = Object.values(manifest.services).some(({ kind }) => kind === "accessory");
  return { hasAccessories, variables: variablesUsedBy(manifest, "accessories") };
}

/** Said before anything is asked: what comes back, and what does not. */
function tellScope({ progress }: DeploySession, rollback: Rollback): void {
  const { target, restored, left, accessoriesBundle, secrets, migrations } = rollback;
  const accessories = accessoriesBundle === undefined ? [] : [`accessories (of ${shortReference(accessoriesBundle)})`];
  const run = migrations.length === 0 ? [] : [`migrations (${migrations.join(", ")})`];
  const stays = [
    ...(secrets === undefined ? [secretsNow(rollback)] : []),
    ...[...accessories, ...left, ...run, "volumes and their data"],
  ];
  progress.message(
    [
      `Back to ${nameOf(target)}.`,
      `  restored: ${restored.length === 0 ? "nothing differs from the settings now" : restored.join(", ")}`,
      ...(secrets === undefined ? [] : [`  secrets: ${describeSecrets(secrets)}`]),
      `  stays: ${[...stays, "domains"].join(", ")}`,
    ].join("\n"),
  );
}

function secretsNow({ secretsBefore }: Rollback): string {
  return secretsBefore === undefined ? "secrets at their current values" : `secrets as of #${secretsBefore}`;
}

/** By name; accessories have none of it, their data was made with the values that they have. */
function describeSecrets({ deployment, names, changed }: KeptSecrets): string {
  const same = names.filter((name) => !changed.includes(name));
  const differing = changed.length === 0 ? [] : [`${changed.join(", ")} (another value serves now)`];
  const equal = same.length === 0 ? [] : [`${same.join(", ")} (as now)`];
  return `as of #${deployment}: ${[...differing, ...equal].join("; ")}; accessories keep theirs`;
}

async function goBack(
  session: DeploySession,
  rollback: Rollback,
  argv: RollbackArguments,
  { startedMs, beforeAnother }: { readonly startedMs: number } & Pick<ShownRun, "beforeAnother">,
): Promise<void> {
  const [{ runShown }, { rollbackNote }, { keepEdit }, { appliedData, renderApplied }, { printResult }] =
    await Promise.all([
      import("./deploy-session.ts"),
      import("../../../core/deployer/deploy-rollback.ts"),
      import("./keep-edit.ts"),
      import("./applied-view.ts"),
      import("../../output/envelope.ts"),
    ]);
  const { app, target, edit, restored, accessoriesBundle, secrets, migrations } = rollback;
  const note = rollbackNote(target, secrets !== undefined);
  const notes = { note, rollbackTo: target.number };
  const message = messageOf(rollback);
  const clearance = { ...clearanceOf(rollback), isApproved: true };
  const result = await runShown(
    session,
    { operation: "up", edit, onlyApp: app, notes, message, clearance, beforeAnother, showPlan: argv.yes },
    argv,
  );
  const pin = await keepEdit(session.project, edit);
  session.progress.close();
  const applied = {
    stack: session.project.stackName,
    app: argv.app,
    result,
    pin,
    durationMs: performance.now() - startedMs,
  };
  const data = { ...appliedData(applied), target, restored, accessoriesBundle, secrets, migrations };
  printResult({ kind: "DeployRolledBack", data, human: () => renderApplied(applied) }, argv);
}

function messageOf({ target }: Rollback): string {
  return `rollback to ${nameOf(target)}`;
}

/** Going back is what windows are there to make rare, not to forbid. */
function clearanceOf(rollback: Rollback): Clearance {
  return { outsideWindow: messageOf(rollback) };
}

function nameOf({ number, version }: Deployment): string {
  return `#${number} (${version})`;
}
