import type { Vps } from "../lab/index.ts";
import { LoadProcess } from "../load/load-process.ts";

/** Requests a second: GETs over open connections, GETs on new ones, orders that PostgreSQL commits. */
export const loadRates = { keptAlive: 200, newConnections: 200, orders: 50 } as const;

/** Starts the load on a shop at `http://ADDRESS[:PORT]`. Nothing in it is tried twice. */
export function startLoad(baseUrl: string): Promise<LoadProcess> {
  return LoadProcess.start([
    { name: "kept-alive", url: `${baseUrl}/api/version`, ratePerSecond: loadRates.keptAlive, mode: "keep-alive" },
    {
      name: "new-connections",
      url: `${baseUrl}/api/version`,
      ratePerSecond: loadRates.newConnections,
      mode: "new-connections",
    },
    { name: "orders", url: `${baseUrl}/api/orders`, ratePerSecond: loadRates.orders, mode: "post" },
  ]);
}

/** The ids of all orders in the shop's database on the server. */
export async function readStoredOrders(vps: Vps): Promise<string[]> {
  const find = "docker ps --quiet --filter label=dev.ikoma.app=shop --filter label=dev.ikoma.part=accessories";
  const select = "psql --username shop --dbname shop --tuples-only --no-align --command 'SELECT id FROM orders'";
  const { code, stdout, stderr } = await vps.exec(`docker exec "$(${find})" ${select}`);
  if (code !== 0) throw new Error(`the orders could not be read from the database:\n${stderr}`);
  return stdout.split("\n").filter((line) => line !== "");
}
