import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pushToRegistry } from "../../lab/index.ts";
import { runChecked } from "../../lab/run-command.ts";

const double = join(import.meta.dirname, "../../doubles/supabase-stack");
const tag = "ikoma-e2e/supabase-double:1";

/** Repositories as the official file names them, so that the stack is known by them. */
const repositories = {
  gateway: "envoyproxy/envoy",
  auth: "supabase/gotrue",
  rest: "postgrest/postgrest",
  realtime: "supabase/realtime",
  storage: "supabase/storage-api",
  functions: "supabase/edge-runtime",
} as const;

type Part = keyof typeof repositories;

/** A compose file of the shape of Supabase's own, with doubles of its services and a real PostgreSQL. */
export async function supabaseCompose(): Promise<string> {
  await runChecked("docker", ["build", "--quiet", "--tag", tag, double]);
  const images: Partial<Record<Part, string>> = {};
  for (const part of Object.keys(repositories) as Part[])
    images[part] = await pushToRegistry(tag, `ikoma-e2e/${repositories[part]}:1`);
  return composeOf(images, await pushToRegistry("postgres:15", "ikoma-e2e/supabase/postgres:15"));
}

const composeOf = (images: Partial<Record<Part, string>>, database: string): string => `name: supabase
x-ikoma:
  migrations: { path: supabase/migrations, database: db }
services:
  api-gw:
    container_name: supabase-envoy
    image: ${images.gateway ?? ""}
    command: [gateway]
    networks: { default: { aliases: [envoy, kong] } }
    healthcheck:
      test: ["CMD-SHELL", "bash -c '</dev/tcp/127.0.0.1/8000'"]
      interval: 10s
    ports: ["\${API_GW_HTTP_PORT:-\${KONG_HTTP_PORT:-8000}}:8000/tcp"]
    volumes: ["./volumes/api/routes.json:/etc/gateway/routes.json:ro"]
    environment:
      ANON_KEY: \${ANON_KEY}
      SERVICE_ROLE_KEY: \${SERVICE_ROLE_KEY}
      DASHBOARD_PASSWORD: \${DASHBOARD_PASSWORD}
      SUPABASE_PUBLIC_URL: \${SUPABASE_PUBLIC_URL}
  auth:
    container_name: supabase-auth
    image: ${images.auth ?? ""}
    command: [auth]
    depends_on: { db: { condition: service_healthy } }
    environment:
      GOTRUE_SITE_URL: \${SITE_URL}
      GOTRUE_JWT_SECRET: \${JWT_SECRET}
      GOTRUE_DB_DATABASE_URL: postgres://supabase_auth_admin:\${POSTGRES_PASSWORD}@db:\${POSTGRES_PORT}/postgres
  rest:
    container_name: supabase-rest
    image: ${images.rest ?? ""}
    command: [rest]
    depends_on: { db: { condition: service_healthy } }
    environment:
      PGRST_JWT_SECRET: \${JWT_JWKS:-\${JWT_SECRET}}
  realtime:
    container_name: realtime-dev.supabase-realtime
    image: ${images.realtime ?? ""}
    command: [realtime]
    environment:
      API_JWT_SECRET: \${JWT_SECRET}
  storage:
    container_name: supabase-storage
    image: ${images.storage ?? ""}
    command: [storage]
    volumes: ["./volumes/storage:/var/lib/storage:z"]
  functions:
    container_name: supabase-edge-functions
    image: ${images.functions ?? ""}
    command: [functions]
    depends_on: { api-gw: { condition: service_healthy } }
    volumes: ["./volumes/functions:/home/deno/functions:z"]
  db:
    container_name: supabase-db
    image: ${database}
    ports: ["\${POSTGRES_PORT}:5432"]
    volumes:
      - ./volumes/db/roles.sql:/docker-entrypoint-initdb.d/99-roles.sql:Z
      - ./volumes/db/data:/var/lib/postgresql/data:Z
      - db-config:/etc/postgresql-custom
    healthcheck:
      test: ["CMD", "pg_isready", "-U", "supabase_admin", "-h", "127.0.0.1"]
      interval: 1s
      retries: 30
    environment:
      POSTGRES_USER: supabase_admin
      POSTGRES_DB: postgres
      POSTGRES_PASSWORD: \${POSTGRES_PASSWORD}
volumes:
  db-config:
`;

const routes = [
  { prefix: "/auth/v1/", to: "auth:9999", rewrite: "/", protected: true },
  { prefix: "/rest/v1/", to: "rest:3000", rewrite: "/", protected: true },
  { prefix: "/realtime/v1/", to: "realtime-dev.supabase-realtime:4000", rewrite: "/socket/", protected: true },
  { prefix: "/storage/v1/", to: "storage:5000", rewrite: "/", protected: false },
  { prefix: "/functions/v1/", to: "functions:9000", rewrite: "/", protected: false },
];

/** What stands beside that file: settings, functions, migrations. */
export async function writeSupabaseFiles(folder: string): Promise<void> {
  await write(folder, "volumes/api/routes.json", JSON.stringify(routes));
  // In Supabase's image this role is made by the image itself.
  const roles =
    "\\getenv password POSTGRES_PASSWORD\nCREATE ROLE postgres LOGIN PASSWORD :'password';\nGRANT ALL ON SCHEMA public TO postgres;\nGRANT CREATE ON DATABASE postgres TO postgres;\n";
  await write(folder, "volumes/db/roles.sql", roles);
  await write(
    folder,
    "supabase/migrations/20261126000000_orders.sql",
    "CREATE TABLE orders (id bigint PRIMARY KEY);\nALTER TABLE orders ENABLE ROW LEVEL SECURITY;\n",
  );
  await write(
    folder,
    ".env.example",
    "POSTGRES_PASSWORD=your-super-secret-and-long-postgres-password\nPOSTGRES_PORT=5432\n",
  );
  await writeFunction(folder, "Hello v1");
}

/** The function `hello`, as a developer writes it. */
export async function writeFunction(folder: string, answer: string): Promise<void> {
  await write(
    folder,
    "volumes/functions/hello/index.ts",
    `Deno.serve((_request: Request) => new Response(${JSON.stringify(answer)}));\n`,
  );
}

async function write(folder: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}
