import type { Asked } from "./index.ts";

/** Fields of the bodies that the double knows: those of the API's description that have to do with what is set here. */
const knownFields: readonly (readonly [RegExp, readonly string[]])[] = [
  [
    /^POST \/v1\/projects$/,
    ["db_pass", "name", "organization_slug", "region_selection", "desired_instance_size", "template_url"],
  ],
  [
    /^PATCH .*\/config\/auth$/,
    [
      "site_url",
      "uri_allow_list",
      "disable_signup",
      "external_anonymous_users_enabled",
      "mailer_autoconfirm",
      "password_min_length",
      "jwt_exp",
    ],
  ],
  [/^PATCH .*\/postgrest$/, ["db_schema", "db_extra_search_path", "max_rows", "db_pool"]],
  [/^PATCH .*\/config\/storage$/, ["fileSizeLimit", "features", "external"]],
  [/^POST .*\/secrets$/, ["name", "value"]],
];

/** The first field of a request that its call does not know. */
export function refusedFields({ method, path, body }: Asked): string | undefined {
  if (body === undefined) return undefined;
  const known = knownFields.find(([call]) => call.test(`${method} ${path}`))?.[1] ?? [];
  const objects = (Array.isArray(body) ? body : [body]) as object[];
  return objects.flatMap((each) => Object.keys(each)).find((key) => !known.includes(key));
}
