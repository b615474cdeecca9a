// What tests of the whole chain need: a developer's machine with the commands, and a server.
export { ApiProcess, saysOn } from "./api-process.ts";
export { BridgeProject } from "./bridge-project.ts";
export { AppOnServer } from "./app-on-server.ts";
export { AppProject, stackName } from "./app-project.ts";
export { webAfterMigration, webAlone, webMigratedByCommand, webWithDatabase } from "./compose-files.ts";
export { startDeployLab, type DeployLab } from "./deploy-lab.ts";
export { ServerCommands } from "./server-commands.ts";
export { killProcess, processEnd, type RunningCommand } from "./running-command.ts";
