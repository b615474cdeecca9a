import * as z from "zod";
import { httpsAddress } from "../../link/https-address.ts";
import { projectRef, refOfAddress } from "./supabase-address.ts";
import { bucketName, cloudAuth, cloudBucket, cloudPostgrest, cloudStorage } from "./cloud-settings.ts";
import { whyNotPublic } from "./supabase-key.ts";

const secretName = z.string().min(1);

/** A key that may be shown to everybody. One that may not is refused, whatever it is given for. */
const publishableKey = z.string().superRefine((text, context) => {
  const reason = whyNotPublic(text);
  if (reason !== undefined) context.addIssue({ code: "custom", message: reason });
});

/** A Supabase that somebody else runs and sets up: it is only looked at. */
export const externalSupabase = z.strictObject({
  mode: z.literal("external").describe("It is there and set up by somebody else; it is looked at, and never changed."),
  url: httpsAddress.describe("Its address: `https://REF.supabase.co`, or one of your own."),
  publishableKey: publishableKey.describe(
    "Its publishable key (`sb_publishable_…`), or the older anon key. No secret.",
  ),
  ref: projectRef.optional().describe("Ref of the project, to be held against address and keys."),
  secretKey: secretName
    .optional()
    .describe(
      "Name in `ikoma:secrets` of the app of its secret key (`sb_secret_…`, or the older service_role key), to be checked too.",
    ),
});
export type ExternalSupabase = z.infer<typeof externalSupabase>;

/** How a project is made where there is none of its name. */
export const newProject = z.strictObject({
  organization: z
    .string()
    .regex(/^[\w-]+$/, "an organization's slug")
    .describe("Slug of the organization, which pays for it."),
  name: z.string().min(1).max(256).describe("Its name, which only one project of the organization may have."),
  region: z.string().min(1).describe("Where it runs, such as `eu-central-1`."),
  size: z.string().min(1).optional().describe("Size of its machine, such as `micro`; without it the smallest."),
  databasePassword: secretName
    .default("SUPABASE_DB_PASSWORD")
    .describe("Name in `ikoma:secrets` of the app of the password that its database gets."),
});
export type NewProject = z.infer<typeof newProject>;

/** A project on Supabase's platform, set up over its Management API. */
export const cloudSupabase = z
  .strictObject({
    mode: z.literal("cloud").describe("A project on Supabase's platform, set up over its Management API."),
    ref: projectRef.optional().describe("Ref of the project, which is there. This or `create`."),
    create: newProject
      .optional()
      .describe("Make the project, which costs money, unless the organization has one of that name: then it is taken."),
    accessToken: secretName
      .default("SUPABASE_ACCESS_TOKEN")
      .describe("Name in `ikoma:secrets` of the app of a personal access token."),
    publishableKey: publishableKey
      .optional()
      .describe("Publishable (or older anon) key of the project, for the app's variables; it is checked. No secret."),
    url: httpsAddress.optional().describe("Address of the project, where it is not `https://REF.supabase.co`."),
    api: httpsAddress.default("https://api.supabase.com").describe("Address of the Management API."),
    auth: cloudAuth.optional().describe("Settings of its sign-in. Here and below: what is not named is left alone."),
    postgrest: cloudPostgrest.optional().describe("Settings of its REST API."),
    storage: cloudStorage.optional().describe("Settings of its storage."),
    buckets: z
      .record(bucketName, cloudBucket)
      .optional()
      .describe("Buckets of its storage, by name. None is ever deleted."),
    functionSecrets: z
      .record(z.string().regex(/^(?!SUPABASE_)\w{1,256}$/, "a variable's name, not SUPABASE_…"), secretName)
      .optional()
      .describe("Secrets of its edge functions: variable there, then name in `ikoma:secrets` of the app."),
  })
  .refine(({ ref, create }) => (ref === undefined) !== (create === undefined), "needs one of `ref` and `create`");
export type CloudSupabase = z.infer<typeof cloudSupabase>;

/** The Supabase of an app, in one of its modes. */
export const supabaseConfig = z.discriminatedUnion("mode", [externalSupabase, cloudSupabase]);
export type SupabaseConfig = z.infer<typeof supabaseConfig>;

/** Names in `ikoma:secrets` that these settings need values for. */
export function secretsOfSupabase(settings: SupabaseConfig): string[] {
  switch (settings.mode) {
    case "external":
      return settings.secretKey === undefined ? [] : [settings.secretKey];
    case "cloud": {
      const { accessToken, create, functionSecrets = {} } = settings;
      const names = [accessToken, ...(create === undefined ? [] : [create.databasePassword])];
      return [...new Set([...names, ...Object.values(functionSecrets)])];
    }
  }
}

/** Where a project answers; undefined as long as its ref is not known. */
export function addressOfProject({ url }: CloudSupabase, ref: string | undefined): string | undefined {
  return url ?? (ref === undefined ? undefined : `https://${ref}.supabase.co`);
}

/** Ref of an external project, as far as it can be known. */
export function refOfExternal({ url, ref }: ExternalSupabase): string | undefined {
  return ref ?? refOfAddress(url);
}
