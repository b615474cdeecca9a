import * as z from "zod";
import { IkomaError } from "../../errors.ts";

const dependencies = z.record(z.string(), z.string()).default({});
const packageFile = z.looseObject({
  name: z.string().default(""),
  scripts: z.record(z.string(), z.string()).default({}),
  engines: z.looseObject({ node: z.string().optional() }).default({}),
  workspaces: z.unknown().optional(),
  dependencies,
  devDependencies: dependencies,
  optionalDependencies: dependencies,
});

/** What is read of a package.json. */
export type PackageFile = z.infer<typeof packageFile>;

/**
 * Reads a package.json's text.
 *
 * @param path where it is from, for the error
 * @throws PROJECT_UNSUPPORTED where it is no package.json
 */
export function parsePackageFile(text: string, path: string): PackageFile {
  try {
    return packageFile.parse(JSON.parse(text));
  } catch (cause) {
    throw new IkomaError("PROJECT_UNSUPPORTED", `${path} cannot be read.`, {
      hint: "See that it is whole: `npm pkg get name` reads it too.",
      cause,
    });
  }
}

/** The range that it wants a package in, whatever for; undefined where it does not. */
export function rangeOf({ dependencies: own, devDependencies }: PackageFile, name: string): string | undefined {
  return own[name] ?? devDependencies[name];
}

/** Whether a package of the folder itself is installed as well: then the manifests alone are not enough to install. */
export function needsWholeFolder({ dependencies: own, devDependencies, workspaces }: PackageFile): boolean {
  const ranges = [...Object.values(own), ...Object.values(devDependencies)];
  return workspaces !== undefined || ranges.some((range) => /^(file|link|workspace|portal):/.test(range));
}
