import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitUntil } from "../../../test/lab/wait-until.ts";
import { Compose } from "./compose.ts";
import type { ComposeProject } from "./compose.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ikoma-compose-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A shell script in compose's place; `$FOLDER` is the test's own. */
function composeThat(script: string): Compose {
  const path = join(folder, "compose");
  writeFileSync(path, `#!/bin/sh\nFOLDER='${folder}'\n${script}\n`);
  chmodSync(path, 0o755);
  return new Compose(path);
}

function project(environment: Record<string, string>): ComposeProject {
  return {
    name: "shop-1",
    services: { web: { image: "web", environment, command: ["echo", "$HOME"] } },
    networks: { default: { name: "shop-1", external: true } },
    volumes: {},
  };
}

const written = (name: string): string => readFileSync(join(folder, name), "utf8");

describe("up", () => {
  test("gives the project on standard input, and nothing of it in an argument", async () => {
    const compose = composeThat('cat > "$FOLDER/input"; echo "$@" > "$FOLDER/arguments"');
    await compose.up(project({ PASSWORD: "hunter22" }), ["web"]);
    expect(JSON.parse(written("input"))).toMatchObject({
      name: "shop-1",
      services: { web: { environment: { PASSWORD: "hunter22" }, command: ["echo", "$$HOME"] } },
    });
    expect(written("arguments")).toMatch(/^-p shop-1 -f - up --detach .*--pull never.* web\n$/);
    expect(written("arguments")).not.toContain("hunter22");
  });

  test("escapes every dollar sign, so that compose's own reading gives the value back", async () => {
    const compose = composeThat('cat > "$FOLDER/input"');
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom("$", "{", "}", "A", ":", "-", "\n", "é") }), async (value) => {
        await compose.up(project({ VALUE: value }), ["web"]);
        const text = (JSON.parse(written("input")) as { services: { web: { environment: { VALUE: string } } } })
          .services.web.environment.VALUE;
        expect(text.replaceAll("$$", "")).not.toContain("$");
        expect(text.replaceAll("$$", "$")).toBe(value);
      }),
      { numRuns: 15 },
    );
  });

  test("of nothing runs nothing", async () => {
    await new Compose("/no/such/compose").up(project({}), []);
  });

  test("that fails is told in compose's own words, in whole lines", async () => {
    const compose = composeThat(
      'i=0; while [ $i -lt 400 ]; do echo "line $i of much"; i=$((i+1)); done; echo "no such image: web" >&2; exit 3',
    );
    const failed = await compose.up(project({}), ["web"]).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: "COMPOSE_INVALID",
      message: "compose could not start web: no such image: web",
    });
    const { output } = (failed as { details: { output: string } }).details;
    expect(output.length).toBeLessThanOrEqual(2000);
    expect(output).toMatch(/^line \d+ of much\n/);
  });

  test("that fails is quoted without half a letter and without half a line, of which no secret could be masked", async () => {
    const halves = composeThat("printf 'no \\303'; sleep 0.2; printf '\\251t\\303\\251 here' >&1; exit 3");
    await expect(halves.up(project({}), ["web"])).rejects.toMatchObject({
      details: { output: "no \u00e9t\u00e9 here" },
    });
    const long = composeThat(`echo "invalid: ${"hunter22".repeat(400)}"; exit 3`);
    await expect(long.up(project({}), ["web"])).rejects.toMatchObject({ details: { output: "" } });
  });

  test("is told to be impossible where there is no compose", async () => {
    await expect(new Compose("/no/such/compose").up(project({}), ["web"])).rejects.toMatchObject({
      code: "HOST_NOT_READY",
    });
  });

  test("may end before it has read all", async () => {
    const failed = composeThat("exit 1").up(project({ LONG: "x".repeat(1024 * 1024) }), ["web"]);
    await expect(failed).rejects.toMatchObject({ code: "COMPOSE_INVALID" });
  });
});

describe("a cancelled run", () => {
  test("is waited for: what compose is just making is there before anybody cleans up", async () => {
    const compose = composeThat(
      'trap "sleep 0.3; touch $FOLDER/ended; exit 1" TERM; touch "$FOLDER/started"; while :; do sleep 0.05; done',
    );
    const stop = new AbortController();
    const outcome = compose
      .up(project({}), ["web"], stop.signal)
      .catch((error: unknown) => ({ error, ended: existsSync(join(folder, "ended")) }));
    await waitUntil("it runs", () => existsSync(join(folder, "started")));
    stop.abort();
    expect(await outcome).toMatchObject({ error: { code: "CANCELLED" }, ended: true });
  });

  test("that was cancelled before it began ends at once, whoever still holds its output", async () => {
    const compose = composeThat("sleep 7");
    const before = Date.now();
    await expect(compose.up(project({}), ["web"], AbortSignal.abort())).rejects.toMatchObject({ code: "CANCELLED" });
    expect(Date.now() - before).toBeLessThan(5000);
  });
});

test("the version is what compose says", async () => {
  expect(await composeThat('[ "$*" = "version --short" ] && echo 2.40.0').version()).toBe("2.40.0");
});
