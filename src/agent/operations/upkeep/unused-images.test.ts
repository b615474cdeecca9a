import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { digestOf, imageOf, run } from "../../../../test/doubles/host/inputs.ts";
import { OperationRunner } from "../operation-runner.ts";
import { removeUnusedImages } from "./unused-images.ts";

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
});

afterEach(async () => {
  await on.dispose();
});

test("an image that is staged again while others are removed stays", async () => {
  for (const name of ["v1", "v2"]) {
    on.engine.images.set(imageOf(name), {});
    on.host.imageUse.add("shop", imageOf(name));
  }
  const remove = on.host.images.remove.bind(on.host.images);
  const staged = Promise.withResolvers<undefined>();
  on.host.images.remove = async (reference) => {
    await staged.promise;
    await remove(reference);
  };
  const removing = removeUnusedImages(on.host, "shop");
  const input = { app: "shop", bundle: digestOf("a"), images: [imageOf("v2")] };
  expect(await run(new OperationRunner(on.host), "bundle.stage", input)).toMatchObject({
    result: { images: [{ pulled: false }] },
  });
  staged.resolve(undefined);
  await removing;
  expect([...on.engine.images.keys()]).toEqual([imageOf("v2")]);
});
