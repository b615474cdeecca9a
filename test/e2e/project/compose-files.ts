/** One web service, ready within a second; see examples/tiny-web for what its variables do. */
export const webAlone = `services:
  web:
    build: .
    ports: ["8080:8080"]
    environment:
      GREETING: \${GREETING:-hello}
      API_TOKEN: \${API_TOKEN:-}
      LOG_ENV: \${LOG_ENV:-}
`;

/** The same after a migration of a database, which adds a row each time that it runs; `MIGRATION` is another one. */
export const webAfterMigration = `services:
  web:
    build: .
    ports: ["8080:8080"]
    depends_on:
      db: { condition: service_healthy }
      migrate: { condition: service_completed_successfully }
  migrate:
    image: postgres:15
    # psql as a container's first process does not heed SIGTERM.
    stop_grace_period: 1s
    command:
      - psql
      - postgres://stock@db:5432/stock
      - --set=ON_ERROR_STOP=1
      - --command=create table if not exists migrations (at timestamptz default now())
      - --command=\${MIGRATION:-insert into migrations default values}
    environment:
      PGPASSWORD: \${POSTGRES_PASSWORD:?choose one}
    depends_on:
      db: { condition: service_healthy }
  db:
    image: postgres:15
    environment:
      POSTGRES_USER: stock
      POSTGRES_DB: stock
      POSTGRES_PASSWORD: \${POSTGRES_PASSWORD:?choose one}
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -h 127.0.0.1 -U stock -d stock"]
      interval: 2s
      timeout: 3s
      retries: 30
`;

/** The same beside a database, which lives on across releases. */
export const webWithDatabase = `services:
  web:
    build: .
    ports: ["8080:8080"]
    environment:
      GREETING: \${GREETING:-hello}
      DATABASE_URL: postgres://shop:\${POSTGRES_PASSWORD:?choose one}@db:5432/shop
    depends_on:
      db: { condition: service_healthy }
  db:
    image: postgres:15
    environment:
      POSTGRES_USER: shop
      POSTGRES_DB: shop
      POSTGRES_PASSWORD: \${POSTGRES_PASSWORD:?choose one}
    volumes: ["db-data:/var/lib/postgresql/data"]
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U shop -d shop"]
      interval: 2s
      timeout: 3s
      retries: 30
volumes:
  db-data:
`;

/** A program (here psql, in an image of its own) that migrates; it adds a row each time that it runs. */
export const webMigratedByCommand = `x-ikoma:
  migrations:
    service: schema
    command:
      - psql
      - postgres://crew@db:5432/crew
      - --set=ON_ERROR_STOP=1
      - --command=create table if not exists runs (at timestamptz default now())
      - --command=insert into runs default values
services:
  web:
    build: .
    ports: ["8080:8080"]
    environment:
      GREETING: \${GREETING:-hello}
  schema:
    image: postgres:15
    x-ikoma: { kind: job }
    environment:
      PGPASSWORD: \${POSTGRES_PASSWORD:?choose one}
  db:
    image: postgres:15
    environment:
      POSTGRES_USER: crew
      POSTGRES_DB: crew
      POSTGRES_PASSWORD: \${POSTGRES_PASSWORD:?choose one}
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -h 127.0.0.1 -U crew -d crew"]
      interval: 1s
      timeout: 3s
      retries: 30
`;
