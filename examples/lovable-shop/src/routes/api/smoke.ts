import { createFileRoute } from "@tanstack/react-router";
import { jsonAnswer } from "@/lib/identity.server";
import { countOrders } from "@/lib/orders.server";

/** Health says that the process can work, this says that the shop does: orders can be read. */
export const Route = createFileRoute("/api/smoke")({
  server: {
    handlers: {
      GET: async () => {
        if (process.env.SHOP_BREAK === "smoke") {
          return jsonAnswer({ error: "broken on purpose by SHOP_BREAK=smoke" }, 500);
        }
        return jsonAnswer({ orders: await countOrders() });
      },
    },
  },
});
