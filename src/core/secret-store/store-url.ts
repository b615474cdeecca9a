import { parsePostgresUrl, type PostgresUrl } from "../database/postgres-url.ts";

/** A store's address, taken apart. */
export type StoreUrl = Omit<PostgresUrl, "parameters" | "fragment">;

/**
 * Takes a store's address apart. Parameters are refused: each that weakens TLS would be obeyed elsewhere.
 *
 * @returns for what is no such address the reason, in which nothing of the text is told
 */
export function parseStoreUrl(text: string): StoreUrl | string {
  const read = parsePostgresUrl(text);
  if (typeof read === "string") return "an address like postgres://user@host/database";
  const { parameters, fragment, ...url } = read;
  if (parameters.size > 0 || fragment !== "") return "an address without parameters; TLS is always checked";
  return url;
}
