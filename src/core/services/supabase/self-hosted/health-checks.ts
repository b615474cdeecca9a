import type { SupabasePart } from "./stack-parts.ts";

/** What came back through the gateway. */
export interface GatewayAnswer {
  readonly status: number;
  readonly body: string;
}

/** How a part is asked, through the gateway unless a port is given, whether it works. */
export interface HealthCheck {
  readonly part: SupabasePart;
  readonly path: string;
  /** Of the part's own container, where the gateway lets nobody through to what is asked. */
  readonly port?: number;
  /** Whether the part itself has answered, and well. */
  readonly isWell: (answer: GatewayAnswer) => boolean;
}

const isAnswered = ({ status }: GatewayAnswer): boolean => status < 500;
const isFine = ({ status }: GatewayAnswer): boolean => status >= 200 && status < 300;

/**
 * What tells of each part how it is. The REST API is asked for a table that is not there: what it says of that comes from
 * the database, and its root is closed to the anon key in newer gateways. So is the health of Realtime's tenant, which is
 * asked as the official health check does; whether the gateway finds Realtime is seen by any answer, as with functions.
 */
export const healthChecks: readonly HealthCheck[] = [
  { part: "auth", path: "/auth/v1/health", isWell: isFine },
  { part: "rest", path: "/rest/v1/ikoma_health", isWell: (answer) => isFine(answer) || saysNoSuchTable(answer) },
  { part: "storage", path: "/storage/v1/status", isWell: isFine },
  { part: "realtime", path: "/realtime/v1/websocket", isWell: isAnswered },
  { part: "realtime", path: "/api/tenants/realtime-dev/health", port: 4000, isWell: isFine },
  { part: "functions", path: "/functions/v1/", isWell: isAnswered },
];

/** PostgREST's own code since version 12.1, PostgreSQL's before. */
function saysNoSuchTable({ status, body }: GatewayAnswer): boolean {
  return status === 404 && /"code"\s*:\s*"(PGRST205|42P01)"/.test(body);
}
