import type { BundleManifest, BundleService } from "../../src/core/bundle/manifest.ts";
import { digestOf } from "./programs.ts";

/** A service that visitors come to. `environment` may hold `${NAME}`. */
export function web(environment: Readonly<Record<string, string>>, digit = "1"): BundleService {
  const definition = { image: `registry.example/shop@${digestOf(digit)}`, environment };
  return { kind: "web", reason: "it is published", definition };
}

/** A database that keeps its data, with this in its environment. */
export function database(environment: Readonly<Record<string, string>>): BundleService {
  const image = `registry.example/postgres@${digestOf("d")}`;
  const volumes = [{ type: "volume", source: "data", target: "/data" }];
  return { kind: "accessory", reason: "a database", definition: { image, environment, volumes } };
}

/** A bundle's manifest for these services, all visitors to `web`, and with whatever is to be unusual. */
export function appManifest(
  services: Readonly<Record<string, BundleService>>,
  more: Partial<BundleManifest> = {},
): BundleManifest {
  return {
    apiVersion: "ikoma.dev/v1",
    kind: "Bundle",
    app: "shop",
    version: "v1",
    services: { ...services },
    volumes: {},
    routes: [{ path: "/", service: "web", port: 8080 }],
    smoke: [],
    variables: [],
    ...more,
  };
}
