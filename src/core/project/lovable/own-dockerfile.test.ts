import { expect, test } from "@jest/globals";
import { readDockerfile } from "./own-dockerfile.ts";

test("arguments of a stage, variables and ports are read, over several lines and in either case", () => {
  const { args, env, ports } = readDockerfile(`# syntax=docker/dockerfile:1
ARG NODE_IMAGE=node:24
FROM \${NODE_IMAGE} AS build
arg VITE_URL VITE_KEY="none"
# ARG VITE_OLD
ENV VITE_FIXED=1 \\
    # between two lines
    VITE_OTHER=2
FROM nginx
EXPOSE 8080/tcp
expose 8080
`);
  expect([...args]).toEqual(["VITE_URL", "VITE_KEY"]);
  expect([...env]).toEqual(["VITE_FIXED", "VITE_OTHER"]);
  expect(ports).toEqual([8080]);
});

test("a port that only the build knows counts as one", () => {
  expect(readDockerfile("FROM node\nENV PORT 3000\nEXPOSE $PORT 9000").ports).toEqual([undefined, 9000]);
});
