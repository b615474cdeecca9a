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
