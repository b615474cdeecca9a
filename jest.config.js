const transform = {
  "^.+\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2023" }, module: { type: "es6" } }],
};

const project = (displayName, testMatch, more = {}) => ({
  displayName,
  testMatch,
  transform,
  extensionsToTreatAsEsm: [".ts"],
  testEnvironment: "node",
  testPathIgnorePatterns: ["/node_modules/", "/dist/", "/examples/"],
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/examples/"],
  ...more,
});

/** Units stand beside their file; what needs the engine or the lab is under test/. */
export default {
  testTimeout: 120_000,
  projects: [
    project("unit", [
      "<rootDir>/{src,components,stacks,scripts}/**/*.test.ts",
      "<rootDir>/test/{load,doubles,demo,bench,documents}/**/*.test.ts",
    ]),
    project("engine", ["<rootDir>/test/engine/**/*.engine.test.ts"]),
    project("e2e", ["<rootDir>/test/{e2e,lab}/**/*.e2e.test.ts"], {
      globalSetup: "<rootDir>/test/e2e/global-setup.ts",
      globalTeardown: "<rootDir>/test/e2e/global-teardown.ts",
    }),
  ],
};
