import { stripVTControlCharacters } from "node:util";

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  /** The cell's text; it may be coloured. */
  readonly value: (row: Row) => string;
  readonly align?: "left" | "right";
}

const gap = "  ";

/** Rows under a line of titles, columns as wide as their widest cell; no frame, so that it can be cut with awk. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const cells = [
    columns.map((column) => column.title.toUpperCase()),
    ...rows.map((row) => columns.map((column) => column.value(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => shownWidth(line[index] ?? ""))));
  const lines = cells.map((line) =>
    line
      .map((cell, index) => padded(cell, widths[index] ?? 0, columns[index]?.align ?? "left"))
      .join(gap)
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function padded(cell: string, width: number, align: "left" | "right"): string {
  const fill = " ".repeat(Math.max(0, width - shownWidth(cell)));
  return align === "right" ? fill + cell : cell + fill;
}

/** Columns that a text takes on a terminal, without its colours. */
export function shownWidth(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}
