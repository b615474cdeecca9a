import { checkGenerator } from "./parts/generator-check.ts";
import { generatorSection } from "./report/report-page.ts";

/**
 * Holds the project's load generator against vegeta and against a server of known faults, on this machine's loopback:
 * `node test/bench/validate-load.ts`. Exit code 1 when they disagree. Without vegeta it says so.
 */
const check = await checkGenerator();
process.stdout.write(`${generatorSection(check)}\n`);
if (check.trials.some(({ problems }) => problems.length > 0)) process.exitCode = 1;
