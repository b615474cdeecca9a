import type { Node } from "libpg-query";
import type { StatementPlace } from "../migration-spec.ts";

/** One statement, as PostgreSQL's own parser reads it. */
export interface ParsedStatement extends StatementPlace {
  /** Kind of the statement (`IndexStmt`) and what it says. */
  readonly node: Node;
}

/** A line comment that stands in the file, without its dashes. */
export interface LineComment {
  readonly line: number;
  readonly text: string;
}

/** A migration's text, understood. */
export interface ParsedMigration {
  readonly statements: readonly ParsedStatement[];
  readonly comments: readonly LineComment[];
}

/** PostgreSQL does not understand the file. */
export class SqlSyntaxError extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.name = "SqlSyntaxError";
    this.line = line;
  }
}

/**
 * Reads a file with PostgreSQL's own grammar (version 18, in WebAssembly: loaded only where there is something to lint).
 *
 * @throws SqlSyntaxError
 */
export async function parseMigration(text: string): Promise<ParsedMigration> {
  if (text.trim() === "") return { statements: [], comments: [] };
  const { parse, scan, hasSqlDetails } = await import("libpg-query");
  const bytes = Buffer.from(text);
  const at = (byte: number): number => bytes.subarray(0, byte).toString("utf8").length;
  try {
    const [{ stmts = [] }, { tokens }] = await Promise.all([parse(text), scan(text)]);
    const words = tokens.filter(({ tokenName }) => !isComment(tokenName));
    const statements = stmts.flatMap(({ stmt, stmt_location: from = 0, stmt_len: length }): ParsedStatement[] => {
      const to = length === undefined || length === 0 ? bytes.length : from + length;
      const first = words.find(({ start }) => start >= from);
      if (stmt === undefined || first === undefined) return [];
      const start = at(first.start);
      return [{ node: stmt, start, end: at(to), line: lineAt(text, start) }];
    });
    const comments = tokens
      .filter(({ tokenName }) => tokenName === "SQL_COMMENT")
      .map((token) => ({ line: lineAt(text, at(token.start)), text: token.text.replace(/^--+/, "").trim() }));
    return { statements, comments };
  } catch (error) {
    if (!(error instanceof Error) || !hasSqlDetails(error)) throw error;
    const position = error.sqlDetails?.cursorPosition ?? 0;
    throw new SqlSyntaxError(error.message, lineAt(text, Array.from(text).slice(0, position).join("").length));
  }
}

function isComment(tokenName: string): boolean {
  return tokenName === "SQL_COMMENT" || tokenName === "C_COMMENT";
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
