import { createFileRoute } from "@tanstack/react-router";
import { jsonAnswer } from "@/lib/identity.server";
import { pingDatabase } from "@/lib/orders.server";

export const Route = createFileRoute("/api/health")({
  server: {
    handlers: {
      GET: async () => {
        try {
          await pingDatabase();
          return jsonAnswer({ healthy: true });
        } catch (error) {
          console.error("not healthy:", error);
          return jsonAnswer({ healthy: false, reason: "the database does not answer" }, 503);
        }
      },
    },
  },
});
