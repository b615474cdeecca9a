import type { CommandModule } from "yargs";
import { driftExitCode } from "../../core/errors.ts";
import type { GlobalArguments } from "../global-options.ts";
import { withAppOption } from "./deploy/deploy-options.ts";

interface DriftArguments extends GlobalArguments {
  readonly app: string | undefined;
}

/**
 * `ikoma drift`: compares what was applied last with what really runs, on all hosts. Changes nothing, neither on a
 * host nor in the state. What is configured and not applied yet is no drift: `ikoma deploy plan` shows that.
 *
 * Ends with 0 where everything is as it was applied, with 7 where something differs or a host could not be read.
 * `--json` prints `{apiVersion, kind: "Drift", data}` with the fields of `DriftReport`
 * (src/core/deployer/drift-report.ts): `state` is `clean`, `drifted`, or `unknown` where nothing differs of what
 * could be read; `differences` each have `host, app, part, name, path, message, repair`, and `wanted` and `found`
 * where neither can be a secret; `unreadable` each have `host, app, part, name, code, message, hint`.
 */
const command: CommandModule<GlobalArguments, DriftArguments> = {
  command: "drift",
  describe: "What differs on the hosts from what was applied; exit code 7 if something does",
  builder: (parser) =>
    withAppOption(parser)
      .example("$0 drift -s prod", "All apps, all hosts; nothing is changed")
      .example("$0 drift -s prod --json | jq '.data.differences'", "For a program")
      .epilogue(
        "Exit code: 0 nothing differs; 7 something differs, or a host could not be read (its state is unknown).",
      ),
  handler: showDrift,
};

export default command;

async function showDrift(argv: DriftArguments): Promise<void> {
  const [{ chooseApp }, { runDrift }, session, { environmentProgram }, { renderDrift }, view, { printResult }, colors] =
    await Promise.all([
      import("../../core/project/deploy-stack-file.ts"),
      import("../../core/deployer/drift-run.ts"),
      import("./deploy/deploy-session.ts"),
      import("./deploy/environment-program.ts"),
      import("./drift-view.ts"),
      import("../output/run-view.ts"),
      import("../output/envelope.ts"),
      import("../output/colors.ts"),
    ]);
  await session.inDeploySession(argv, async ({ project, settings, progress, signal }) => {
    if (argv.app !== undefined) chooseApp(settings, argv.app, project.stackName);
    await session.connectEarly({ settings }, argv.app);
    const root = "drift";
    const shown = new view.RunView(progress, root, { isPreview: true });
    progress.begin({ id: root, title: `compare ${project.stackName} with its hosts` });
    const report = await runDrift({
      project,
      program: environmentProgram(project.stackName, {}),
      onlyApp: argv.app,
      signal,
      onEvent: (event) => {
        shown.engine(event);
      },
      onProviderEvent: (urn, event) => {
        shown.host(urn, event);
      },
    }).catch((error: unknown) => {
      progress.end(root, "failed");
      throw error;
    });
    progress.end(root, "done");
    progress.close();
    const human = (): string => renderDrift(report, colors.colorsFor(process.stdout, argv));
    printResult({ kind: "Drift", data: report, human }, argv);
    if (report.state !== "clean") process.exitCode = driftExitCode;
  });
}
