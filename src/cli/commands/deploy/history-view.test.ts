import { expect, test } from "@jest/globals";
import type { Deployment } from "../../../agent/protocol/views.ts";
import { colorsFor } from "../../output/colors.ts";
import { renderHistory } from "./history-view.ts";

const digest = `sha256:${"a".repeat(64)}`;
const plain = colorsFor({ isTTY: false }, {});

test("what was rolled back from says so, and why, before any other note", () => {
  const two: Deployment = {
    ...{ app: "shop", number: 2, version: "v2", bundle: digest, digest: "d", status: "good", by: "ana" },
    ...{ startedAtMs: 0, endedAtMs: 900, note: "for the sale", withdrawn: "it was rolled back from" },
  };
  const [, line] = renderHistory([two], plain).split("\n");
  expect(line).toMatch(/^2 +v2 +good, withdrawn +aaaa.*0\.9 s +ana +it was rolled back from$/);
});
