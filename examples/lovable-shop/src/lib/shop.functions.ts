import { createServerFn } from "@tanstack/react-start";
import { identity } from "./identity.server";
import { orderSchema } from "./order";
import { addOrder, countOrders, latestOrders } from "./orders.server";

/** What the page shows: the running version and the orders in the database. */
export const loadShop = createServerFn({ method: "GET" }).handler(async () => {
  const [count, latest] = await Promise.all([countOrders(), latestOrders(5)]);
  return { ...identity(), count, latest };
});

/** Writes one order; the promise resolves after PostgreSQL has committed it. */
export const placeOrder = createServerFn({ method: "POST" })
  .validator(orderSchema)
  .handler(async ({ data }) => ({ isNew: await addOrder(data.id) }));
