import { randomBytes } from "node:crypto";

const instance = randomBytes(4).toString("hex");

/** Which version answers, and which process of it. */
export function identity() {
  return { version: process.env.APP_VERSION || "dev", instance };
}

/** A JSON answer that says which version gave it. */
export function jsonAnswer(body: object, status = 200) {
  const { version, instance } = identity();
  return Response.json(
    { ...body, version, instance },
    {
      status,
      headers: {
        "x-app-version": version,
        "x-app-instance": instance,
        "cache-control": "no-store",
      },
    },
  );
}
