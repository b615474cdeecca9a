const pulumi = "^(node_modules/)?@pulumi/|node_modules/@pulumi/";

/** The import rules of docs/ARCHITECTURE.md. */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "core-stands-alone",
      comment:
        "The core knows neither the CLI nor Pulumi; of the agent it knows the protocol. The engine runner is the one door to Pulumi, and loads it lazily.",
      severity: "error",
      from: { path: "^src/core/", pathNot: ["^src/core/engine/", "\\.test\\.ts$"] },
      to: { path: ["^src/(cli|provider|api)/", "^src/agent/(?!protocol/)", "^(components|stacks)/", pulumi] },
    },
    {
      name: "agent-without-pulumi",
      severity: "error",
      from: { path: "^src/agent/", pathNot: "\\.test\\.ts$" },
      to: { path: ["^src/(cli|provider|api)/", "^(components|stacks)/", pulumi] },
    },
    {
      name: "provider-knows-core-and-protocol",
      severity: "error",
      from: { path: "^src/provider/", pathNot: "\\.test\\.ts$" },
      to: { path: ["^src/(cli|api)/", "^src/agent/(?!protocol/)", "^(components|stacks)/"] },
    },
    {
      name: "api-knows-core-and-protocol",
      severity: "error",
      from: { path: "^src/api/", pathNot: "\\.test\\.ts$" },
      to: { path: ["^src/(cli|provider)/", "^src/agent/(?!protocol/)", "^(components|stacks)/", pulumi] },
    },
    {
      name: "components-know-types",
      severity: "error",
      from: { path: "^components/", pathNot: "\\.test\\.ts$" },
      to: { path: ["^src/(cli|provider|agent|api)/"] },
    },
    {
      name: "stacks-know-components-and-core",
      comment: "Of the provider only its version, which the stack `hosts` puts on hosts.",
      severity: "error",
      from: { path: "^stacks/", pathNot: "\\.test\\.ts$" },
      to: { path: ["^src/(cli|agent|api)/", "^src/provider/(?!version\\.ts$)"] },
    },
    {
      name: "cli-knows-core-and-protocol",
      severity: "error",
      from: { path: "^src/cli/", pathNot: "\\.test\\.ts$" },
      to: { path: "^src/agent/(?!protocol/)" },
    },
    {
      name: "cli-loads-pulumi-lazily",
      comment: "Importing the SDK takes half a second; `ikoma status` must not pay for it, nor for the API's server.",
      severity: "error",
      from: { path: "^src/cli/", pathNot: "\\.test\\.ts$" },
      to: {
        path: [pulumi, "^src/(provider|api)/", "^(components|stacks)/"],
        dynamic: false,
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "product-without-tests",
      severity: "error",
      from: { path: "^(src|components|stacks)/", pathNot: "\\.test\\.ts$" },
      to: { path: "^test/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|examples)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts", ".js", ".json"] },
  },
};
