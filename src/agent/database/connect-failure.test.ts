import { expect, test } from "@jest/globals";
import { connectFailure } from "./connect-failure.ts";

const server = {
  address: "db.ref.supabase.co",
  port: 5432,
  user: "postgres",
  database: "shop",
  password: "hunter22",
  tls: {},
};

/** As the network, TLS and the driver give them. */
function failure(message: string, more: object = {}): Error {
  return Object.assign(new Error(message), more);
}

const v6 = "2a05:d018:135e:1600::1";
const unreachable = failure(`connect ENETUNREACH ${v6}:5432`, { code: "ENETUNREACH", address: v6 });

test.each([
  ["DNS knows no such name", failure("getaddrinfo ENOTFOUND", { code: "ENOTFOUND" }), "DATABASE_UNREACHABLE", "paused"],
  ["DNS does not answer", failure("getaddrinfo EAI_AGAIN", { code: "EAI_AGAIN" }), "DATABASE_UNREACHABLE", "DNS works"],
  ["a firewall is silent", failure("timeout expired"), "DATABASE_UNREACHABLE", "firewall"],
  ["only IPv6, and none here", unreachable, "DATABASE_UNREACHABLE", "session pooler"],
  ["several of IPv6", new AggregateError([unreachable, unreachable]), "DATABASE_UNREACHABLE", "session pooler"],
  [
    "one of IPv4 among them",
    new AggregateError([failure("connect ETIMEDOUT", { code: "ETIMEDOUT", address: "1.2.3.4" }), unreachable]),
    "DATABASE_UNREACHABLE",
    "firewall",
  ],
  [
    "nobody listens, by the way that there is",
    new AggregateError([unreachable, failure("connect ECONNREFUSED", { code: "ECONNREFUSED", address: "1.2.3.4" })]),
    "DATABASE_UNREACHABLE",
    "Correct the port",
  ],
  [
    "no password in the URL",
    failure("SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string"),
    "DATABASE_AUTH",
    "with its password",
  ],
  [
    "a user who may not connect",
    failure('permission denied for database "shop"', { code: "42501" }),
    "DATABASE_AUTH",
    "set it: `pulumi config set",
  ],
  [
    "a paused project, by the pooler",
    failure("Tenant or user not found", { code: "XX000" }),
    "DATABASE_AUTH",
    "postgres.PROJECT",
  ],
  [
    "a full session pooler",
    failure("MaxClientsInSessionMode: max clients reached", { code: "XX000" }),
    "DATABASE_UNREACHABLE",
    "no further|Wait until",
  ],
  [
    "an expired certificate",
    failure("certificate has expired", { code: "CERT_HAS_EXPIRED" }),
    "DATABASE_TLS",
    "caCert",
  ],
  [
    "no authority that is known",
    failure("self-signed certificate in certificate chain", { code: "SELF_SIGNED_CERT_IN_CHAIN" }),
    "DATABASE_TLS",
    "Supabase from the project's database settings",
  ],
])("%s: the code and what to do", (_, cause, code, hint) => {
  const told = connectFailure(server, cause);
  expect(told).toMatchObject({ code, hint: expect.stringMatching(hint) as unknown });
  expect(told.message).toContain("shop at db.ref.supabase.co:5432 as postgres cannot be reached from the app's host");
});

test("the password is masked, whoever quotes it", () => {
  expect(connectFailure(server, failure("no entry for hunter22")).message).not.toContain("hunter22");
  expect(connectFailure(server, "hunter22").message).not.toContain("hunter22");
});
