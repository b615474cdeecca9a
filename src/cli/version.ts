import packageJson from "../../package.json" with { type: "json" };

/** Version of this CLI, of package.json; bundled as a constant. */
export const cliVersion: string = packageJson.version;
