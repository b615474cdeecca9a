import * as z from "zod";

const byteLimit = z.number().int().min(0).max(536_870_912_000);
const names = z.array(z.string().regex(/^[^,]+$/, "a text without commas"));

/** Sign-in. */
export const cloudAuth = z.strictObject({
  siteUrl: z
    .url()
    .regex(/^[^,]+$/)
    .optional()
    .describe("Address of the app: where people come back to after they signed in."),
  redirectUrls: names
    .optional()
    .describe("Addresses that people may be sent to after they signed in, besides `siteUrl`; exactly these."),
  signup: z.boolean().optional().describe("Whether people may register themselves."),
  anonymousUsers: z.boolean().optional().describe("Whether one may sign in without being known."),
  confirmEmail: z.boolean().optional().describe("Whether an e-mail address has to be confirmed first."),
  passwordMinLength: z.number().int().min(6).max(32_767).optional().describe("Shortest password."),
  tokenSeconds: z.number().int().min(0).max(604_800).optional().describe("Life of an access token, in seconds."),
});
export type CloudAuth = z.infer<typeof cloudAuth>;

/** The REST API. */
export const cloudPostgrest = z.strictObject({
  schemas: names.optional().describe("Schemas of the database that the API shows, in this order."),
  extraSearchPath: names.optional().describe("Schemas in the search path of each request."),
  maxRows: z.number().int().min(0).max(1_000_000).optional().describe("Most rows of one answer."),
  poolSize: z.number().int().min(0).max(1000).optional().describe("Connections to the database."),
});
export type CloudPostgrest = z.infer<typeof cloudPostgrest>;

/** The storage as a whole. */
export const cloudStorage = z.strictObject({
  fileSizeLimit: byteLimit.optional().describe("Largest file, in bytes."),
  imageTransformation: z.boolean().optional().describe("Whether images are resized on their way out."),
  s3: z.boolean().optional().describe("Whether the storage speaks S3's protocol."),
});
export type CloudStorage = z.infer<typeof cloudStorage>;

/** What the storage takes for one: the characters that S3 is safe with, no spaces at its ends. */
export const bucketName = z
  .string()
  .regex(/^[\w !.*'()&$@=;:+,?-]{1,100}$/, "a bucket's name: letters, digits and !-_.*'()&$@=;:+,? and spaces inside")
  .regex(/^(?!\.+$)\S(.*\S)?$/, "a bucket's name: no spaces at its ends, and not dots alone");

/** One bucket. */
export const cloudBucket = z.strictObject({
  public: z.boolean().default(false).describe("Whether everybody may read its files, without a key."),
  fileSizeLimit: byteLimit.min(1).optional().describe("Largest file, in bytes."),
  allowedMimeTypes: z
    .array(z.string().min(1))
    .optional()
    .describe("Types of its files, such as `image/png` or `image/*`."),
});
export type CloudBucket = z.infer<typeof cloudBucket>;
