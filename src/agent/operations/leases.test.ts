import { beforeEach, describe, expect, test } from "@jest/globals";
import { Leases } from "./leases.ts";

const minute = 60_000;
const anna = { id: "anna-process", label: "anna@laptop" };
const ben = { id: "ben-process", label: "ben@ci" };
const refused = "is being deployed by anna@laptop";

let nowMs: number;
let leases: Leases;

beforeEach(() => {
  nowMs = 1_000_000;
  leases = new Leases(() => nowMs);
});

function taking(holder: typeof anna, app = "shop"): () => void {
  return () => {
    leases.take(app, holder);
  };
}

test("one holder at a time for an app; the other is told who and since when", () => {
  leases.connected(anna.id);
  leases.take("shop", anna);
  expect(taking(ben)).toThrow("shop is being deployed by anna@laptop (active 1970-01-01T00:16:40.000Z)");
  expect(taking(ben, "blog")).not.toThrow();
  expect(taking(anna)).not.toThrow();
});

test("it lasts from one operation of a deploy to the next, and ends with the last", () => {
  leases.connected(anna.id);
  leases.take("shop", anna);
  leases.operationEnded("shop", anna, false);
  expect(taking(ben)).toThrow(refused);
  leases.take("shop", anna);
  leases.operationEnded("shop", anna, true);
  expect(taking(ben)).not.toThrow();
});

test("the last operation of a deploy does not end it while another one of it runs", () => {
  leases.connected(anna.id);
  leases.take("shop", anna);
  leases.take("shop", anna);
  leases.operationEnded("shop", anna, true);
  expect(taking(ben)).toThrow(refused);
});

describe("a holder that goes away", () => {
  test("lets go at once when nothing runs", () => {
    leases.connected(anna.id);
    leases.take("shop", anna);
    leases.operationEnded("shop", anna, false);
    leases.disconnected(anna.id);
    expect(taking(ben)).not.toThrow();
  });

  test("holds on through its other connection", () => {
    leases.connected(anna.id);
    leases.connected(anna.id);
    leases.take("shop", anna);
    leases.operationEnded("shop", anna, false);
    leases.disconnected(anna.id);
    expect(taking(ben)).toThrow(refused);
  });

  test("holds on while its operation runs, then lets go although more was to come", () => {
    leases.connected(anna.id);
    leases.take("shop", anna);
    leases.disconnected(anna.id);
    expect(taking(ben)).toThrow(refused);
    leases.operationEnded("shop", anna, false);
    expect(taking(ben)).not.toThrow();
  });

  test("may come back and go on", () => {
    leases.connected(anna.id);
    leases.take("shop", anna);
    leases.disconnected(anna.id);
    leases.connected(anna.id);
    leases.operationEnded("shop", anna, false);
    expect(taking(ben)).toThrow(refused);
  });
});

describe("a holder that is connected and does nothing", () => {
  beforeEach(() => {
    leases.connected(anna.id);
    leases.take("shop", anna);
  });

  test("loses it after ten minutes", () => {
    leases.operationEnded("shop", anna, false);
    nowMs += 10 * minute;
    expect(taking(ben)).toThrow(refused);
    nowMs += 1;
    expect(taking(ben)).not.toThrow();
  });

  test("keeps it as long as an operation runs", () => {
    nowMs += 60 * minute;
    expect(taking(ben)).toThrow(refused);
    leases.operationEnded("shop", anna, false);
    nowMs += 9 * minute;
    expect(taking(ben)).toThrow(refused);
  });

  test("cannot end the lease of who took over", () => {
    leases.operationEnded("shop", anna, false);
    nowMs += 11 * minute;
    leases.connected(ben.id);
    leases.take("shop", ben);
    leases.operationEnded("shop", anna, true);
    leases.disconnected(anna.id);
    expect(taking(anna)).toThrow("ben@ci");
  });
});
