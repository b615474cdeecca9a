import { mapStrings } from "../bundle/interpolate-tree.ts";

/**
 * Stands in a release's text for a secret that only the host knows: a rollback asks for the value that a deployment
 * had, and the agent puts it in. The value itself never leaves the host.
 */
export function keptSecretMarker(name: string): string {
  return `{{ikoma.secret:${name}}}`;
}

const marker = /\{\{ikoma\.secret:([A-Za-z_][A-Za-z0-9_]*)\}\}/g;

/** A copy of a JSON tree with every marker replaced; what `valueOf` throws for a name that it does not have goes through. */
export function fillKeptSecrets(tree: unknown, valueOf: (name: string) => string): unknown {
  return mapStrings(tree, (text) => text.replaceAll(marker, (_, name: string) => valueOf(name)));
}

/** The secrets that a JSON tree has markers for, each once. */
export function keptSecretNames(tree: unknown): string[] {
  const found = JSON.stringify(tree).matchAll(marker);
  return [...new Set([...found].map(([, name = ""]) => name))];
}
