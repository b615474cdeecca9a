import { expect, test } from "@jest/globals";
import { dockerfile, type ImagePlan } from "./dockerfile.ts";
import { projectCompose } from "./project-compose.ts";

const install = { tool: "npm", lock: "package-lock.json", isExact: true, reason: "", ignored: [] } as const;
const variable = (name: string, hasFallback = false): ImagePlan["buildVariables"][number] => ({
  name,
  file: "src/a.ts",
  hasFallback,
});
const plan: ImagePlan = {
  ...{ generation: 1, shape: "static", install, nodeMajor: 22, outputFolder: "build", needsWholeFolder: false },
  buildVariables: [variable("VITE_URL"), variable("VITE_FOO")],
};

test("generation 1: a value must be said, be it an empty one, and no stage that serves has rights", () => {
  const text = dockerfile({ ...plan, given: ["VITE_FOO", "VITE_PLUGIN"] });
  expect(text).toContain("ARG NODE_IMAGE=node:22-bookworm-slim\nARG WEB_IMAGE=");
  expect(text).toContain("COPY package.json package-lock.json .npmr[c]");
  expect(text).toContain('if [ -z "${VITE_URL+set}" ];');
  expect(text).toContain("ARG VITE_URL\nARG VITE_FOO\nARG VITE_PLUGIN\n#");
  expect(text).not.toContain("${VITE_PLUGIN");
  expect(text).toMatch(/COPY --from=build \/app\/build \/srv\/app\nUSER 10001\n/);
});

test("generation 2: the preset is said, and srvx comes only where Nitro does not", () => {
  const nitro = dockerfile({ ...plan, generation: 2, shape: "nitro" });
  expect(nitro).toContain("RUN NITRO_PRESET=node-server npm run build\n");
  expect(nitro).not.toContain("srvx@");
  expect(nitro).toContain("\nUSER node\n");
  expect(dockerfile({ ...plan, generation: 2, shape: "fetch-handler" })).toContain("srvx@");
});

test.each([
  [{ ...install, tool: "bun", lock: "bun.lock" }, /bun install --frozen-lockfile --ignore-scripts/],
  [{ ...install, tool: "bun", lock: "bun.lock", isExact: false }, /bun install --ignore-scripts/],
  [install, /npm ci [^|]* \|\| npm ci --legacy-peer-deps/],
  [{ ...install, isExact: false }, /npm install --legacy-peer-deps/],
  [{ ...install, lock: undefined, isExact: false }, /COPY package\.json \.npmr/],
] as const)("the install of %j", (how, expected) => {
  expect(dockerfile({ ...plan, install: how })).toMatch(expected);
});

test("a certificate authority is trusted besides the usual ones", () => {
  const text = dockerfile(plan);
  expect(text).toContain("NODE_EXTRA_CA_CERTS=/run/ca.crt;");
  expect(text).not.toContain("cafile");
});

test("packages of the folder itself are there before the install", () => {
  const text = dockerfile({ ...plan, needsWholeFolder: true });
  expect(text.match(/^COPY \. \.$/gm)).toHaveLength(1);
  expect(text.indexOf("COPY . .")).toBeLessThan(text.indexOf("npm ci"));
});

const ownFiles = { dockerfile: undefined, dockerignore: undefined };

test("the compose file asks for what the server cannot do without", () => {
  const text = projectCompose({
    ...{ generation: 2, ownFiles },
    runVariables: [{ ...variable("API_KEY"), file: "src/posts.{$id}.ts" }, variable("FROM", true)],
  });
  expect(text).toContain(
    "      API_KEY: ${API_KEY?} # read by src/posts.{$id}.ts\n      # FROM: ${FROM} # src/a.ts does without\n",
  );
  expect(projectCompose({ generation: 1, runVariables: [], ownFiles })).not.toContain("environment");
});

test("the port is that of the image's own Dockerfile, which has to say one", () => {
  const compose = (dockerfile: string): string =>
    projectCompose({ generation: 1, runVariables: [], ownFiles: { dockerfile, dockerignore: undefined } });
  expect(compose("FROM nginx\nEXPOSE 80\n")).toContain(`ports: ["80:80"]`);
  for (const unclear of ["", "EXPOSE 80 443", "EXPOSE $PORT"]) {
    expect(() => compose(`FROM nginx\n${unclear}\n`)).toThrow("port of the project's own Dockerfile is not known");
  }
});
