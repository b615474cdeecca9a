import { createFileRoute } from "@tanstack/react-router";
import { jsonAnswer } from "@/lib/identity.server";
import { orderSchema } from "@/lib/order";
import { addOrder } from "@/lib/orders.server";

/** 201 only after the row is committed; 200 if this id was there already; 400 for anything else. */
export const Route = createFileRoute("/api/orders")({
  server: {
    handlers: {
      POST: async ({ request }) => {
        const order = orderSchema.safeParse(await request.json().catch(() => undefined));
        if (!order.success) return jsonAnswer({ error: 'the body must be {"id": "…"}' }, 400);
        const isNew = await addOrder(order.data.id);
        return jsonAnswer({ id: order.data.id }, isNew ? 201 : 200);
      },
    },
  },
});
