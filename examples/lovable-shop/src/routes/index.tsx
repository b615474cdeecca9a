import { createFileRoute, useRouter } from "@tanstack/react-router";
import { useServerFn } from "@tanstack/react-start";
import { useState } from "react";
import { loadShop, placeOrder } from "@/lib/shop.functions";

export const Route = createFileRoute("/")({
  loader: () => loadShop(),
  headers: ({ loaderData }) => ({ "x-app-version": loaderData?.version ?? "unknown" }),
  component: Shop,
});

function Shop() {
  const shop = Route.useLoaderData();
  const router = useRouter();
  const order = useServerFn(placeOrder);
  const [busy, setBusy] = useState(false);

  const buy = async () => {
    setBusy(true);
    await order({ data: { id: crypto.randomUUID() } });
    await router.invalidate();
    setBusy(false);
  };

  return (
    <main className="mx-auto max-w-xl p-8">
      <h1 className="text-3xl font-bold">Lovable shop</h1>
      <p className="text-sm text-slate-500">
        version <strong data-testid="version">{shop.version}</strong>, instance {shop.instance}
      </p>
      <p className="my-6">
        <span data-testid="count">{shop.count}</span> orders so far
      </p>
      <button
        className="rounded bg-slate-900 px-4 py-2 text-white disabled:opacity-50"
        disabled={busy}
        onClick={buy}
      >
        Order a loaf
      </button>
      <ul className="mt-6 list-disc pl-6 font-mono text-sm">
        {shop.latest.map((id) => (
          <li key={id}>{id}</li>
        ))}
      </ul>
    </main>
  );
}
