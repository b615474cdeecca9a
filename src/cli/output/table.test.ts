import { expect, test } from "@jest/globals";
import { renderTable, shownWidth } from "./table.ts";

interface Row {
  name: string;
  size: number;
}
const columns = [
  { title: "name", value: (row: Row) => row.name },
  { title: "size", value: (row: Row) => String(row.size), align: "right" as const },
];

test("columns are as wide as their widest cell, numbers stand to the right", () => {
  const rows = [
    { name: "a", size: 5 },
    { name: "longer", size: 12345 },
  ];
  expect(renderTable(columns, rows)).toBe("NAME     SIZE\na           5\nlonger  12345\n");
});

test("colours take no room", () => {
  expect(shownWidth("\u001B[32mok\u001B[39m")).toBe(2);
  const rows = [
    { name: "\u001B[32mok\u001B[39m", size: 1 },
    { name: "four", size: 2 },
  ];
  expect(renderTable(columns, rows).split("\n")[1]).toBe("\u001B[32mok\u001B[39m       1");
});
