import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { imageOf } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { standDown } from "./stood-down.ts";

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
  on.engine.images.set(imageOf("v1"), {});
});

afterEach(async () => {
  await on.dispose();
});

test("a container that cannot be stood down is told only when the others have ended: they are started again then", async () => {
  const made = [];
  for (const name of ["web", "jobs"]) made.push(await on.engine.createContainer({ name, image: imageOf("v1") }));
  const [web] = made;
  const refused = `POST /containers/${web?.Id ?? ""}/update`;
  on.engine.refusals.set(refused, { status: 500, message: "no answer" });
  const stop = on.host.containers.stop.bind(on.host.containers);
  const order: string[] = [];
  on.host.containers.stop = async (id) => {
    await waitUntil("the other one was refused", () => on.engine.calls.includes(refused));
    await stop(id);
    order.push("ended");
  };
  const containers = (await on.host.containers.list({})).toSorted((a, b) => a.Name.localeCompare(b.Name));
  await standDown(on.host, containers).catch((error: unknown) => order.push(String(error)));
  expect(order).toEqual(["ended", expect.stringContaining("no answer")]);
});
