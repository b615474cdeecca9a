import type { InstallPlan } from "./install-plan.ts";

/** 1: a single-page app of Vite and React Router; 2: TanStack Start, which renders on a server. */
export type Generation = 1 | 2;

/** What the build of generation 2 is expected to make. What it made is looked at after the build. */
export type BuildShape = "static" | "nitro" | "fetch-handler";

/** A variable that the source reads. */
export interface SourceVariable {
  readonly name: string;
  /** A file that reads it, from the project's folder on. */
  readonly file: string;
  /** Every place that reads it has something else in its stead (`??`, `||`, `?.`). */
  readonly hasFallback: boolean;
}

/** A `.env` file of the project's folder. */
export interface EnvironmentFile {
  readonly name: string;
  /** Git knows it; undefined where there is no Git to ask. */
  readonly isTracked: boolean | undefined;
  readonly names: readonly string[];
  /** Names whose values nobody but the app's own server may see, each with the reason. */
  readonly secrets: readonly { readonly name: string; readonly reason: string }[];
  /** Supabase hosts that its values name. */
  readonly supabaseHosts: readonly string[];
}

/** What the person should know: a warning wants to be acted on. */
export interface ProjectNote {
  readonly level: "info" | "warning";
  readonly text: string;
}

/** A recognised project, and what its build needs. */
export interface LovableProject {
  /** Absolute. */
  readonly folder: string;
  readonly generation: Generation;
  /** What it was recognised by. */
  readonly reasons: readonly string[];
  readonly shape: BuildShape;
  /** Why that shape is expected. */
  readonly shapeReason: string;
  /** `nitro.preset` of the Vite configuration; the environment cannot change it. */
  readonly pinnedPreset: string | undefined;
  readonly install: InstallPlan;
  /** Packages of the folder itself are installed too, so that the manifests alone are not enough. */
  readonly needsWholeFolder: boolean;
  /** package.json has a script `build`. */
  readonly hasBuild: boolean;
  /** Folder that generation 1 is built into. */
  readonly outputFolder: string;
  /** Major version of Node.js that builds it, and runs generation 2. */
  readonly nodeMajor: number;
  readonly nodeReason: string;
  /** `VITE_*`: the build puts their values into what every visitor gets. */
  readonly buildVariables: readonly SourceVariable[];
  /** `process.env.*` that the server of generation 2 reads while it runs. */
  readonly runVariables: readonly SourceVariable[];
  readonly environmentFiles: readonly EnvironmentFile[];
  /** Supabase hosts that are written into the source, with the file. */
  readonly sourceHosts: readonly { readonly host: string; readonly file: string }[];
  readonly supabase: { readonly functions: number; readonly migrations: number };
  /** Folders below that have a package.json of their own. */
  readonly nested: readonly string[];
  /** Text of the folder's own Dockerfile, and of the list of what it leaves out, where it has them. */
  readonly ownFiles: { readonly dockerfile: string | undefined; readonly dockerignore: string | undefined };
  readonly notes: readonly ProjectNote[];
}

/** The outcome of a look at a folder. */
export type Recognition =
  | { readonly kind: "recognised"; readonly project: LovableProject }
  /** `looked`: what was looked for and how it stood. */
  | { readonly kind: "unknown"; readonly folder: string; readonly looked: readonly string[]; readonly hint: string };
