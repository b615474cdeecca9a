import type * as pulumi from "@pulumi/pulumi";
import { IkomaError } from "../src/core/errors.ts";

/** An app and the secrets that it is given. */
interface SecretOwner {
  app: string;
  secrets?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
}

/**
 * The secret of that name.
 *
 * @param why as the middle of a sentence about the app
 * @throws CONFIG_MISSING with how to set it
 */
export function requiredSecret({ app, secrets = {} }: SecretOwner, name: string, why: string): pulumi.Input<string> {
  const value = secrets[name];
  if (value !== undefined) return value;
  const path = `ikoma:secrets.${app}.${name}`;
  throw new IkomaError("CONFIG_MISSING", `${app} ${why}, and the secret ${name} is not set.`, {
    hint: `Set it with \`pulumi config set --secret --path '${path}'\`.`,
  });
}
