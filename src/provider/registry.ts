import type { ResourceHandler } from "./resource-handler.ts";
import { accessories } from "./resources/accessories.ts";
import { agent } from "./resources/agent.ts";
import { backup } from "./resources/backup.ts";
import { bundle } from "./resources/bundle.ts";
import { migration } from "./resources/migration.ts";
import { migrationCommand } from "./resources/migration-command.ts";
import { registryImage } from "./resources/registry-image.ts";
import { release } from "./resources/release.ts";
import { site } from "./resources/site.ts";
import { supabase } from "./resources/supabase.ts";

/** Every kind of resource that the provider serves. A new one is a file in `resources/` and a line here. */
export const handlers: readonly ResourceHandler[] = [
  accessories,
  agent,
  backup,
  bundle,
  migration,
  migrationCommand,
  registryImage,
  release,
  site,
  supabase,
];
