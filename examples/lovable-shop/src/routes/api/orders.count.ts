import { createFileRoute } from "@tanstack/react-router";
import { jsonAnswer } from "@/lib/identity.server";
import { countOrders } from "@/lib/orders.server";

export const Route = createFileRoute("/api/orders/count")({
  server: { handlers: { GET: async () => jsonAnswer({ count: await countOrders() }) } },
});
