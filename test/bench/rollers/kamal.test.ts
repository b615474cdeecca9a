import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { kamalConfiguration } from "./kamal.ts";

test("Kamal is told of the same server, probe and drain as the others", () => {
  const vps = { address: "10.77.3.2", sshPort: 22, user: "root", identityFile: "/keys/id" };
  expect(parse(kamalConfiguration(vps))).toMatchObject({
    servers: { web: ["10.77.3.2"] },
    ssh: { user: "root", port: 22, keys: ["/keys/id"], keys_only: true },
    proxy: { app_port: 8080, healthcheck: { path: "/health" } },
    drain_timeout: 5,
  });
});
