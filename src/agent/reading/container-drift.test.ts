import { describe, expect, test } from "@jest/globals";
import { serviceSpec } from "../../core/deployer/release-spec.ts";
import type { Container } from "../engine/containers.ts";
import type { Image } from "../engine/images.ts";
import { containerDrift } from "./container-drift.ts";

const reference = `web@sha256:${"1".repeat(64)}`;
const wanted = serviceSpec.parse({
  kind: "web",
  image: reference,
  environment: { MODE: "a", PASSWORD: "hunter22", URL: "x=y=z" },
});
const image: Image = {
  Id: "id",
  Architecture: "amd64",
  Os: "linux",
  Size: 1,
  Config: { Env: ["PATH=/bin", "LANG=C"] },
};

function container(Env: string[] | null, state: Partial<Container["State"]> = {}, Image = reference): Container {
  return {
    Id: "id",
    Name: "/shop-1-web-1",
    Image: "sha256:0",
    RestartCount: 0,
    State: {
      ...{ Status: "running", Running: true, Restarting: false, OOMKilled: false, ExitCode: 0, Error: "", Pid: 7 },
      ...state,
    },
    HostConfig: { Memory: 0 },
    Config: { Image, Env, Labels: {} },
    Mounts: [],
    NetworkSettings: { Networks: {} },
  };
}

const asWanted = ["PATH=/bin", "LANG=C", "MODE=a", "PASSWORD=hunter22", "URL=x=y=z"];

function drift(found: Container, of: Image | undefined = image) {
  return containerDrift("services.web", "web", wanted, found, of);
}

test("a container that is as it should be has none", () => {
  expect(drift(container(asWanted))).toEqual([]);
});

describe("drift is told by the path of the property, and names no value", () => {
  test.each([
    [
      "has another value",
      asWanted.with(3, "PASSWORD=other-secret"),
      "environment.PASSWORD",
      "web: the variable PASSWORD has another value",
    ],
    ["is missing", asWanted.toSpliced(2, 1), "environment.MODE", "web: the variable MODE is not set"],
    ["was added", [...asWanted, "DEBUG=1"], "environment.DEBUG", "web: the variable DEBUG was added"],
    ["of the image was changed", asWanted.with(1, "LANG=de"), "environment.LANG", "web: the variable LANG was added"],
    [
      "is named like a property of every object",
      [...asWanted, "constructor=1"],
      "environment.constructor",
      "web: the variable constructor was added",
    ],
  ])("a variable that %s", (_name, environment, path, message) => {
    const found = drift(container(environment));
    expect(found).toEqual([{ path: `services.web.${path}`, message }]);
    expect(JSON.stringify(found)).not.toMatch(/hunter22|other-secret/);
  });

  test("another image", () => {
    expect(drift(container(asWanted, {}, "web@sha256:2"))).toEqual([
      { path: "services.web.image", message: "web: the container runs web@sha256:2" },
    ]);
  });

  test.each([
    [{ Status: "exited", Running: false, ExitCode: 137 }, "web: the container is exited (exit code 137)"],
    // The engine calls a crash loop running as well.
    [{ Status: "restarting", Restarting: true, ExitCode: 1 }, "web: the container is restarting (exit code 1)"],
  ])("a container that does not run", (state, message) => {
    expect(drift(container(asWanted, state))).toEqual([{ path: "services.web.state", message }]);
  });
});

test("without its image nobody can tell what was added", () => {
  expect(containerDrift("services.web", "web", wanted, container([...asWanted, "DEBUG=1"]), undefined)).toEqual([]);
  expect(containerDrift("services.web", "web", wanted, container(null), undefined)).toHaveLength(3);
});
