import { expect, test } from "@jest/globals";
import { answerChallenge, parseChallenge } from "./authorization.ts";
import type { AnswerRequest } from "./authorization.ts";

test("a challenge is read with quotes, commas and spaces", () => {
  const header =
    'Bearer realm="https://auth.example/token",service="reg, one",scope="repository:a/b:pull,push",error=x';
  expect(parseChallenge(header)).toEqual({
    scheme: "bearer",
    parameters: {
      realm: "https://auth.example/token",
      service: "reg, one",
      scope: "repository:a/b:pull,push",
      error: "x",
    },
  });
  expect(parseChallenge("BASIC")).toEqual({ scheme: "basic", parameters: {} });
  expect(parseChallenge("Negotiate abc")).toBeUndefined();
  expect(parseChallenge(null)).toBeUndefined();
});

const request = (more: Partial<AnswerRequest>): AnswerRequest => ({
  registry: "reg.example",
  scope: "repository:a:pull",
  credentials: undefined,
  secure: true,
  fetch: () => Promise.resolve(Response.json({ token: "t" })),
  ...more,
});

const bearer = (realm: string): ReturnType<typeof parseChallenge> & object => {
  return { scheme: "bearer", parameters: { realm, service: "s" } };
};

test("a token is asked for with the password, for the scope that is needed", async () => {
  const asked: { url: string; init: RequestInit }[] = [];
  const fetch = (url: string, init: RequestInit): Promise<Response> => {
    asked.push({ url, init });
    return Promise.resolve(Response.json({ access_token: "abc" }));
  };
  const credentials = { username: "ada", password: "a:b" };
  const answer = await answerChallenge(bearer("https://auth.example/token"), request({ credentials, fetch }));
  expect(answer).toBe("Bearer abc");
  expect(asked[0]?.url).toBe("https://auth.example/token?service=s&scope=repository%3Aa%3Apull");
  expect(asked[0]?.init.headers).toEqual({ authorization: `Basic ${Buffer.from("ada:a:b").toString("base64")}` });
});

test("an identity token is exchanged in a form", async () => {
  let body: unknown;
  const fetch = (_url: string, init: RequestInit): Promise<Response> => {
    body = init.body;
    return Promise.resolve(Response.json({ token: "abc" }));
  };
  await answerChallenge(bearer("https://a.example/t"), request({ credentials: { identityToken: "id" }, fetch }));
  expect(String(body)).toContain("grant_type=refresh_token");
  expect(String(body)).toContain("refresh_token=id");
});

test("no password goes to a token server without TLS where the registry has it", async () => {
  let asked = false;
  const fetch = (): Promise<Response> => {
    asked = true;
    return Promise.resolve(Response.json({ token: "t" }));
  };
  const answer = answerChallenge(bearer("http://auth.example/token"), request({ fetch }));
  await expect(answer).rejects.toMatchObject({ code: "REGISTRY_AUTH" });
  expect(asked).toBe(false);
});

test("a refusal and a missing login say how to log in", async () => {
  const refused = request({ fetch: () => Promise.resolve(new Response("no", { status: 401 })) });
  const hint = expect.stringContaining("docker login reg.example") as unknown;
  await expect(answerChallenge(bearer("https://a.example/t"), refused)).rejects.toMatchObject({
    code: "REGISTRY_AUTH",
    hint,
  });
  const basic = answerChallenge({ scheme: "basic", parameters: {} }, request({}));
  await expect(basic).rejects.toMatchObject({ code: "REGISTRY_AUTH", hint });
});
