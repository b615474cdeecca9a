import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { serviceExtension } from "./extension.ts";
import { Findings } from "./findings.ts";
import { parsePort } from "./ports.ts";
import { splitServices } from "./split.ts";
import type { ServiceFacts } from "./split.ts";
import type { Route } from "../../release/release-spec.ts";

type Extension = Parameters<typeof serviceExtension.parse>[0];
interface Sketch extends Partial<Omit<ServiceFacts, "ports" | "extension">> {
  name: string;
  ports?: readonly string[];
  ikoma?: Extension;
}

const service = ({ ports = [], ikoma = {}, ...rest }: Sketch): ServiceFacts => ({
  built: false,
  told: false,
  image: "postgres:15",
  namespace: undefined,
  exposed: [],
  awaitedBy: [],
  ports: ports.map(parsePort),
  extension: serviceExtension.parse(ikoma),
  ...rest,
});
const built = (sketch: Sketch): ServiceFacts => service({ built: true, image: undefined, ...sketch });

/** `web=web worker=worker`, then the routes; or what was refused. */
function split(services: readonly ServiceFacts[], routes?: readonly Route[]): string[] {
  const findings = new Findings();
  const result = splitServices(services, routes, findings);
  try {
    findings.throwIfRefused();
  } catch (thrown) {
    return [`refused: ${(thrown as Error).message}`];
  }
  const kinds = services.map(({ name }) => `${name}=${result.verdicts.get(name)?.kind ?? "?"}`);
  return [kinds.join(" "), ...result.routes.map(({ path, service: to, port }) => `${path} ${to}:${port}`)];
}

test("the one built service that publishes a port is the web, the other is a worker, databases live on", () => {
  const services = [
    built({ name: "app", ports: ["80:3000"] }),
    built({ name: "queue" }),
    service({ name: "db", ports: ["5432:5432"] }),
  ];
  expect(split(services)).toEqual(["app=web queue=worker db=accessory", "/ app:3000"]);
});

test("an image of the app's namespace is the app's, an official one is nobody's", () => {
  const namespace = "ghcr.io/me";
  const web = service({ name: "web", told: true, namespace, ports: ["3000"] });
  const services = [
    web,
    service({ name: "worker", namespace }),
    service({ name: "db" }),
    service({ name: "s3", namespace: "docker.io/minio" }),
  ];
  expect(split(services)).toEqual(["web=web worker=worker db=accessory s3=accessory", "/ web:3000"]);
});

test("what has to complete before an accessory is an accessory, before the web a job", () => {
  const web = built({ name: "web", ports: ["3000"] });
  const services = [
    web,
    service({ name: "seed", awaitedBy: ["db"] }),
    service({ name: "migrate", awaitedBy: ["web"] }),
    service({ name: "db" }),
  ];
  expect(split(services)[0]).toBe("web=web seed=accessory migrate=job db=accessory");
});

test("a job that publishes a port is not taken for the web", () => {
  const services = [
    built({ name: "web", ports: ["3000"] }),
    built({ name: "setup", ports: ["9000"], awaitedBy: ["web"] }),
  ];
  expect(split(services)).toEqual(["web=web setup=job", "/ web:3000"]);
});

test("x-ikoma decides over everything", () => {
  const services = [
    built({ name: "a", ports: ["1"], ikoma: { kind: "worker" } }),
    built({ name: "b", ikoma: { kind: "web", port: 2 } }),
    built({ name: "c", ikoma: { kind: "accessory" } }),
    service({ name: "d", ikoma: { kind: "job" } }),
  ];
  expect(split(services)).toEqual(["a=worker b=web c=accessory d=job", "/ b:2"]);
});

test("a limit of connections goes to the route", () => {
  const web = built({ name: "web", ports: ["80"], ikoma: { maxConnections: 5000 } });
  const { routes } = splitServices([web], undefined, new Findings());
  expect(routes).toEqual([{ path: "/", service: "web", port: 80, maxConnections: 5000 }]);
});

test("an app without a web is possible when that is said of each service", () => {
  const worker = { kind: "worker" } as const;
  expect(split([built({ name: "a", ikoma: worker }), service({ name: "db" })])).toEqual(["a=worker db=accessory"]);
});

test("the one exposed port serves where none is published", () => {
  expect(split([built({ name: "web", exposed: [8080], ikoma: { kind: "web" } })])).toEqual(["web=web", "/ web:8080"]);
});

test("routes at the top of the file replace those of the services", () => {
  const services = [built({ name: "web", ports: ["3000"] }), built({ name: "live" })];
  const routes = [
    { path: "/", service: "web", port: 3000 },
    { path: "/live", service: "live", port: 4000 },
    { path: "/debug", service: "web", port: 3001 },
  ];
  expect(split(services, routes)).toEqual(["web=web live=web", "/ web:3000", "/live live:4000", "/debug web:3001"]);
});

test.each<[string, ServiceFacts[], string]>([
  ["two webs", [built({ name: "a", ports: ["1"] }), built({ name: "b", ports: ["2"] })], "a and b both publish ports"],
  [
    "no web",
    [built({ name: "a" }), service({ name: "db", ports: ["1"] })],
    "none of the app's services (a) publishes a port",
  ],
  ["no service of the app", [service({ name: "db", ports: ["1"] })], "none of the services (db) is the app's"],
  [
    "two webs at one path",
    [built({ name: "a", ikoma: { kind: "web", port: 1 } }), built({ name: "b", ikoma: { kind: "web", port: 2 } })],
    "a and b would both get /",
  ],
  [
    "two webs at one path but for a slash at its end",
    [
      built({ name: "a", ikoma: { kind: "web", port: 1, path: "/api" } }),
      built({ name: "b", ikoma: { kind: "web", port: 2, path: "/api/" } }),
    ],
    "a and b would both get /api/",
  ],
  ["a web without a port", [built({ name: "a", ikoma: { kind: "web" } })], "its web port is not clear"],
])("%s is refused with what to write", (_, services, reason) => {
  const [answer] = split(services);
  expect(answer).toContain(`refused:`);
  expect(answer).toContain(reason);
  expect(answer).toMatch(/Write `|Name the app's image|Give one of them/);
});

const anyService = fc.record({
  built: fc.boolean(),
  told: fc.boolean(),
  namespace: fc.option(fc.constantFrom("ghcr.io/me", "quay.io/they"), { nil: undefined }),
  ports: fc.array(fc.constantFrom("3000", "80:8080", "${P}:9000"), { maxLength: 2 }),
  kind: fc.option(fc.constantFrom("web", "worker", "job", "accessory"), { nil: undefined }),
});

test("unless it refuses, every service has one kind, every route leads to a web, and every web has a route", () => {
  fc.assert(
    fc.property(fc.array(anyService, { minLength: 1, maxLength: 5 }), (sketches) => {
      const services = sketches.map(({ kind, ...sketch }, index) => {
        return service({
          name: `s${index}`,
          ...sketch,
          ikoma: { ...(kind === undefined ? {} : { kind }), path: `/${index}` },
        });
      });
      const findings = new Findings();
      const { verdicts, routes } = splitServices(services, undefined, findings);
      expect([...verdicts.keys()]).toEqual(services.map(({ name }) => name));
      for (const [name, { kind }] of verdicts) {
        const said = services.find((each) => each.name === name)?.extension.kind;
        expect(kind).toBe(said ?? kind);
      }
      const webs = [...verdicts].filter(([, { kind }]) => kind === "web").map(([name]) => name);
      expect(webs).toEqual(expect.arrayContaining(routes.map((route) => route.service)));
      const refused = (() => {
        try {
          findings.throwIfRefused();
          return false;
        } catch {
          return true;
        }
      })();
      if (!refused) expect(routes.map((route) => route.service).sort()).toEqual(webs.sort());
    }),
  );
});
