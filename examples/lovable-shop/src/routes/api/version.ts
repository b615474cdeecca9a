import { createFileRoute } from "@tanstack/react-router";
import { jsonAnswer } from "@/lib/identity.server";

export const Route = createFileRoute("/api/version")({
  server: { handlers: { GET: () => jsonAnswer({ pid: process.pid }) } },
});
