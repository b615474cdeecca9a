import { plant } from "./canary.ts";

/** Each is planted in one place, by its own value. */
export const canaries = {
  // What shells, compose, JSON, URLs and regular expressions each would like to change.
  stack: plant("stack's secret", (core) => `p$HOME-\${X}"'\\ ${core} #%é`),
  part: plant("secret in a longer text"),
  file: plant("secret in a file"),
  renewed: plant("renewed secret"),
  builder: plant("builder's variable"),
  dotEnv: plant(".env"),
  envFile: plant("env_file"),
  registry: plant("registry's password"),
  stored: plant("secret of the store"),
};
const { stack, part, file, renewed, builder, dotEnv, envFile, registry, stored } = canaries;

/** Everything that a compose file can take from where the bundle is made; the app prints what it knows. */
export const compose = `services:
  web:
    build:
      context: .
      args: { BUILD_TOKEN: "\${BUILD_TOKEN:-}", DOT_TOKEN: "\${DOT_TOKEN:-}" }
      secrets: [build-token]
    ports: ["8080:8080"]
    env_file: app.env
    environment:
      API_TOKEN: \${API_TOKEN:-}
      DATABASE: host=db user=shop password=\${DB_PASSWORD:?choose one}
      STORED_TOKEN: \${STORED_TOKEN:-}
      LOG_ENV: API_TOKEN
    secrets: [key-file]
    command:
      - sh
      - -c
      - |
        echo "the password is $\${DATABASE##*=}"
        echo "authorization: Basic $$(printf '%s' "shop:$\${DATABASE##*=}" | base64 -w 0)"
        cat /run/secrets/key-file
        exec node server.mjs
secrets:
  build-token: { environment: BUILD_TOKEN }
  key-file: { environment: KEY_FILE }
`;

/** Where each may be. All else is a leak; and each of these must be found, or the search is blind. */
export const allowed: readonly (readonly [canary: string, where: RegExp, reason: string])[] = [
  [builder.name, /^environment of a process of the builder$/, "programs have the environment of their shell"],
  [dotEnv.name, /^file .*\/vault\/\.env$/, "where it is planted"],
  [envFile.name, /^file .*\/vault\/app\.env$/, "where it is planted"],
  [registry.name, /^file .*\/home\/\.docker\/config\.json$/, "where `docker login` keeps it"],
  [registry.name, /^file \/var\/lib\/ikoma\/docker\/config\.json$/, "the host's own login, which it pulls with"],
  [file.name, /^file \/var\/lib\/ikoma\/files\/vault-\d+\/[^/]+$/, "mounted into its container (docs/adr/0007)"],
  ...[stack, part, file, renewed].map(
    ({ name }) => [name, /^file .*\/containers\/vault-\d+-web-1\/.*\.log$/, "what the app prints"] as const,
  ),
  ...[stack, part, renewed, stored].flatMap(({ name }) => [
    [name, /^Config\.Env of the container vault-\d+-web-1$/, "its container's environment"] as const,
    [name, /^file .*\/containers\/vault-\d+-web-1\/config\.v2\.json$/, "Docker's record of that"] as const,
    [name, /^file \/run\/docker\/containerd\/.*\/vault-\d+-web-1\/config\.json$/, "what runc starts it from"] as const,
    [name, /^file \/var\/lib\/docker\/containerd\/.*\/meta\.db$/, "containerd's record of that"] as const,
    [name, /^environment of a process of the container (vault-\d+-web-1|gone)$/, "what it is run with"] as const,
  ]),
];
