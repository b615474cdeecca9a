// Apart from the schema, which commands that only read a state should not have to build.

/** The stack that holds nothing but the Bridge itself, and the name of that app on its host. */
export const bridgeStack = "bridge";
export const bridgeApp = "bridge";

/** What the compose file of the Bridge is told of its administrators by. */
export const adminsVariable = "API_ADMINS";

/** Where the settings of an app stand in its stack's file, below `config:`. */
export function settingsPath(stack: string, app: string): string[] {
  return stack === bridgeStack && app === bridgeApp ? ["ikoma:bridge"] : ["ikoma:apps", app];
}

/** Variables that the program of a stack gives an app as secrets. They are always today's: a rollback brings none back. */
export function programsOwn(stack: string, app: string): string[] {
  return stack === bridgeStack && app === bridgeApp ? [adminsVariable] : [];
}
