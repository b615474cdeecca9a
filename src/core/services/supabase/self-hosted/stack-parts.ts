import { parseImageReference } from "../../../adapters/registry/image-reference.ts";
import type { BundleManifest } from "../../../bundle/manifest.ts";

/** What a service of Supabase's self-hosted stack is there for. */
export type SupabasePart =
  | "gateway"
  | "auth"
  | "rest"
  | "realtime"
  | "storage"
  | "functions"
  | "database"
  | "pooler"
  | "studio"
  | "meta"
  | "imgproxy"
  | "analytics";

/** The service of each part that a stack has. */
export type SupabaseParts = Readonly<Partial<Record<SupabasePart, string>>> & { readonly gateway: string };

/** Images by the end of their repository: a mirror keeps that. */
const images: Readonly<Record<SupabasePart, RegExp>> = {
  gateway: /(^|\/)(kong|envoyproxy\/envoy)$/,
  auth: /(^|\/)(gotrue|supabase\/auth)$/,
  rest: /(^|\/)postgrest$/,
  realtime: /(^|\/)supabase\/realtime$/,
  storage: /(^|\/)storage-api$/,
  functions: /(^|\/)edge-runtime$/,
  database: /(^|\/)supabase\/postgres$/,
  pooler: /(^|\/)supavisor$/,
  studio: /(^|\/)supabase\/studio$/,
  meta: /(^|\/)postgres-meta$/,
  imgproxy: /(^|\/)imgproxy$/,
  analytics: /(^|\/)logflare$/,
};

/** Port of the container at which the gateway takes requests, in every release of the official stack. */
export const gatewayPort = 8000;

/**
 * Tells the official self-hosted stack of Supabase by its images: a gateway, Auth and the REST API. Other files, also
 * those that only use one of these images, are none.
 *
 * @param services name → image
 */
export function supabaseParts(services: Readonly<Record<string, string | undefined>>): SupabaseParts | undefined {
  const found = new Map<SupabasePart, string>();
  for (const [service, image] of Object.entries(services)) {
    const part = image === undefined ? undefined : partOf(image);
    if (part !== undefined && !found.has(part)) found.set(part, service);
  }
  const gateway = found.get("gateway");
  if (gateway === undefined || !found.has("auth") || !found.has("rest")) return undefined;
  return { ...Object.fromEntries(found), gateway };
}

/** The same for a bundle. */
export function partsOfBundle({ services }: Pick<BundleManifest, "services">): SupabaseParts | undefined {
  return supabaseParts(
    Object.fromEntries(Object.entries(services).map(([name, { definition }]) => [name, definition.image])),
  );
}

function partOf(image: string): SupabasePart | undefined {
  if (image.includes("$")) return undefined;
  const { repository } = parseImageReference(image);
  return (Object.keys(images) as SupabasePart[]).find((part) => images[part].test(repository));
}
