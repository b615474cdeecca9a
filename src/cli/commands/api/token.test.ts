import { expect, test } from "@jest/globals";
import { runGroup } from "../../../../test/rigs/command-group.ts";
// Jest cannot load modules at the same time that share one; the handlers do, so they are loaded here first.
import "../../../api/tokens.ts";
import "../../output/envelope.ts";
import token from "./token.ts";

function admin(...more: string[]) {
  return runGroup("api", (group) => group.command(token), ["api", "token", "admin", ...more]);
}

test("an administrator's token is made here: nobody is told of it, and whoever means that is refused", async () => {
  for (const [option = "", value = ""] of [
    ["--state", "folder"],
    ["--api", "https://bridge.example"],
    ["--ca-cert", "ca.pem"],
  ])
    await expect(admin(option, value)).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining(`${option}: `),
    });
  expect(await admin()).toMatchObject({ stdout: expect.stringMatching(/^ikb_admin_/) });
});
