import type { HostAccess } from "./agent-access.ts";
import { IkomaError } from "../core/errors.ts";
export function hostAccess(): HostAccess { throw new IkomaError("INTERNAL", "later"); }
