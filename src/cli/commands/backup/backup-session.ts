import { randomUUID } from "node:crypto";
import type { Argv } from "yargs";
import type { OperationInput, OperationKind, OperationResult } from "../../../agent/protocol/operations.ts";
import type { AppConfig } from "../../../core/config/schema.ts";
import type { AgentClient } from "../../../core/transport/agent-client.ts";
import { oneText, type GlobalArguments } from "../../global-options.ts";
import { listenForInterrupt } from "../../interrupt.ts";
import { createProgress, type Progress } from "../../output/progress.ts";

/** What every command on backups takes. */
export interface BackupArguments extends GlobalArguments {
  readonly app: string | undefined;
}

/** What a command on the backups of one app works with. */
export interface BackupSession {
  readonly app: string;
  readonly stack: string;
  readonly settings: Partial<AppConfig> | undefined;
  readonly agent: AgentClient;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Runs an operation, telling its steps as they come. */
  readonly run: <K extends OperationKind>(
    kind: K,
    title: string,
    input: OperationInput<K>,
  ) => Promise<OperationResult<K>>;
}

/** Declares `--app`. */
export function withBackupApp<T>(parser: Argv<T>): Argv<T & { app: string | undefined }> {
  return parser.option("app", { ...oneText, describe: "The app, where the stack has several" });
}

/** Finds the app and the agent of its host, and lets go of both whatever happens. */
export async function inBackupSession(
  argv: BackupArguments,
  work: (session: BackupSession) => Promise<void>,
): Promise<void> {
  const [{ findDeployProject }, { chooseApp, hostOf, readStackSettings }, { withAgent }] = await Promise.all([
    import("../../../core/project/deploy-project.ts"),
    import("../../../core/project/deploy-stack-file.ts"),
    import("../../host-agent.ts"),
  ]);
  const project = await findDeployProject(argv.cwd, argv.stack);
  const settings = await readStackSettings(project.stackFile);
  const app = chooseApp(settings, argv.app, project.stackName);
  const progress = createProgress(argv);
  using interrupt = listenForInterrupt({
    onCancel: () => {
      progress.message("Cancelling. Press Ctrl-C again to leave at once.", "warning");
    },
  });
  const { signal } = interrupt;
  try {
    await withAgent(hostOf(settings, app), (agent) =>
      work({
        app,
        stack: project.stackName,
        settings: settings.apps[app],
        agent,
        signal,
        progress,
        run: (kind, title, input) => runTold({ agent, signal, progress }, kind, title, input),
      }),
    );
  } finally {
    progress.close();
  }
}

async function runTold<K extends OperationKind>(
  { agent, signal, progress }: Pick<BackupSession, "agent" | "signal" | "progress">,
  kind: K,
  title: string,
  input: OperationInput<K>,
): Promise<OperationResult<K>> {
  progress.begin({ id: kind, title });
  try {
    const outcome = await agent.runOperation(kind, {
      key: randomUUID(),
      input,
      expectedGeneration: null,
      signal,
      onEvent: ({ type, message }) => {
        if (type === "step") progress.note(kind, message);
        if (type === "warning") progress.message(message, "warning");
      },
    });
    progress.end(kind, "done");
    return outcome.result;
  } catch (error) {
    progress.end(kind, "failed");
    throw error;
  }
}
