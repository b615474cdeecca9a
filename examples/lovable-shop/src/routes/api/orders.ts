import { createFileRoute } from "@tanstack/react-router";
import { jsonAnswer } from "@/lib/identity.server";
import { orderSchema } from "@/lib/order";
import { addOrder } from "@/lib/orders.server";

const ordersBeforeTrouble = 20;
let ordersTaken = 0;

/** As an app that never gives its connections back: no check before the first visitors can see it. */
function isWornOut() {
  ordersTaken += 1;
  return process.env.SHOP_BREAK === "orders" && ordersTaken > ordersBeforeTrouble;
}

/** 201 only after the row is committed; 200 if this id was there already; 400 for anything else. */
export const Route = createFileRoute("/api/orders")({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const order = orderSchema.safeParse(await request.json().catch(() => undefined));
        if (!order.success) return jsonAnswer({ error: 'the body must be {"id": "…"}' }, 400);
        if (isWornOut()) return jsonAnswer({ error: "broken on purpose by SHOP_BREAK=orders" }, 500);
        const isNew = await addOrder(order.data.id);
        return jsonAnswer({ id: order.data.id }, isNew ? 201 : 200);
      },
    },
  },
});
