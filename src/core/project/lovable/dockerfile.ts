import { adapterScript, checkScript, placeScript, srvxVersion } from "./build-scripts.ts";
import type { LovableProject } from "./lovable-project.ts";

/** Where each generation's image answers. */
export const imagePorts = { 1: 8080, 2: 3000 } as const;

const bunVersion = "1.4.5";

/** What the Dockerfile needs to know of a project. */
export type ImagePlan = Pick<
  LovableProject,
  "buildVariables" | "generation" | "install" | "needsWholeFolder" | "nodeMajor" | "outputFolder" | "shape"
> & {
  /** Names of more `VITE_*` that have a value. */
  readonly given?: readonly string[];
};

/**
 * The Dockerfile of a recognised project: installs, builds, refuses what must not be in an image, and leaves what
 * serves. It needs nothing newer than BuildKit of Docker 20.10.
 */
export function dockerfile(plan: ImagePlan): string {
  const stages = plan.generation === 1 ? staticStages(plan) : serverStages(plan);
  return `${stages.join("\n")}\n`;
}

function staticStages(plan: ImagePlan): string[] {
  return [
    `# A single-page app of Vite: built by Node.js, served by nginx as a user without rights.`,
    `ARG NODE_IMAGE=node:${plan.nodeMajor}-bookworm-slim`,
    `ARG WEB_IMAGE=debian:bookworm-slim`,
    ``,
    ...buildStage(plan, "npm run build"),
    ...script("/tmp/check.cjs", checkScript),
    `RUN node /tmp/check.cjs ${plan.outputFolder}`,
    ``,
    `FROM \${WEB_IMAGE}`,
    `USER root`,
    `RUN command -v nginx || { apt-get update && apt-get install --yes --no-install-recommends nginx-light && rm -rf /var/lib/apt/lists/*; }`,
    ...script("/etc/app-nginx.conf", nginxConfiguration),
    `COPY --from=build /app/${plan.outputFolder} /srv/app`,
    `USER 10001`,
    `EXPOSE ${imagePorts[1]}`,
    `STOPSIGNAL SIGQUIT`,
    `ENTRYPOINT []`,
    `CMD ["nginx", "-e", "stderr", "-c", "/etc/app-nginx.conf"]`,
  ];
}

function serverStages(plan: ImagePlan): string[] {
  return [
    `# TanStack Start: built and run by Node.js. The preset must be said, or Lovable's build makes a worker for Cloudflare.`,
    `ARG NODE_IMAGE=node:${plan.nodeMajor}-bookworm-slim`,
    ``,
    ...buildStage(plan, "NITRO_PRESET=node-server npm run build"),
    ...(plan.shape === "nitro" ? [] : adapterSteps()),
    ...script("/tmp/place.cjs", placeScript),
    `RUN node /tmp/place.cjs /out /srvx`,
    ...script("/tmp/check.cjs", checkScript),
    `RUN if [ -d /out/dist ]; then node /tmp/check.cjs /out/dist; else node /tmp/check.cjs /out/public /out/server; fi`,
    ``,
    `FROM \${NODE_IMAGE}`,
    `WORKDIR /app`,
    `ENV NODE_ENV=production PORT=${imagePorts[2]} HOST=0.0.0.0`,
    `COPY --from=build /out ./`,
    `USER node`,
    `EXPOSE ${imagePorts[2]}`,
    `CMD ["node", "start.mjs"]`,
  ];
}

function buildStage(plan: ImagePlan, command: string): string[] {
  const needed = plan.buildVariables.map(({ name }) => name);
  const names = new Set([...needed, ...(plan.given ?? [])]);
  return [
    `FROM \${NODE_IMAGE} AS build`,
    `WORKDIR /app`,
    plan.needsWholeFolder ? `COPY . .` : `COPY ${manifests(plan)} ./`,
    `# A registry mirror or a company's certificate authority come as build secrets and stay out of the image:`,
    `#   --secret id=npmrc,src=$HOME/.npmrc --secret id=ca,src=ca.crt`,
    ...withSecrets(installCommands(plan)),
    ...(plan.needsWholeFolder ? [] : [`COPY . .`]),
    ``,
    `# What the build puts into the files that every visitor gets: public by nature.`,
    ...[...names].map((name) => `ARG ${name}`),
    `# Hosts of Supabase that the app may talk to besides those that the values above name.`,
    `ARG BACKENDS=""`,
    // One that is meant to be empty is set all the same.
    ...needed.map(
      (name) =>
        `RUN if [ -z "\${${name}+set}" ]; then echo "ikoma: ${name} is read by the source and has no value" >&2; exit 1; fi`,
    ),
    `RUN ${command}`,
  ];
}

/** The rest may be missing, so it is named by a pattern. */
function manifests({ install: { lock } }: ImagePlan): string {
  return ["package.json", ...(lock === undefined ? [] : [lock]), ".npmr[c]", "bunfig.tom[l]"].join(" ");
}

/** Lifecycle scripts of packages are not run, as Lovable's own installs do not either. */
function installCommands({ install: { tool, isExact } }: ImagePlan): string {
  const quiet = "--ignore-scripts --no-audit --no-fund";
  if (tool === "bun") {
    const frozen = isExact ? " --frozen-lockfile" : "";
    // Most name a mirror that only Lovable reaches. The checksums stay: what comes from another registry is the same, or
    // is refused.
    const anywhere = `sed -i 's#, "https://[^"]*"#, ""#' bun.lock`;
    return `npm install --global --no-audit --no-fund bun@${bunVersion} && ${anywhere} && bun install${frozen} --ignore-scripts`;
  }
  if (!isExact) return `npm install --legacy-peer-deps ${quiet}`;
  // Lovable installs with bun, which does not mind peers that do not fit.
  return `npm ci ${quiet} || npm ci --legacy-peer-deps ${quiet}`;
}

function adapterSteps(): string[] {
  const install = `mkdir /srvx && cd /srvx && npm install --ignore-scripts --no-audit --no-fund srvx@${srvxVersion}`;
  return [
    `# Without Nitro the build exports a handler; srvx makes a server of it.`,
    ...withSecrets(install),
    ...script("/srvx/start.mjs", adapterScript),
  ];
}

/** The authority is one more: npm's own setting (`cafile`) would take the place of the usual ones. */
function withSecrets(command: string): string[] {
  return [
    `RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \\`,
    `    --mount=type=secret,id=ca,target=/run/ca.crt \\`,
    `    if [ -s /run/ca.crt ]; then export NODE_EXTRA_CA_CERTS=/run/ca.crt; fi; \\`,
    `    ${command}`,
  ];
}

/** Writes a file in the image, line by line: what BuildKit has for it is newer than Docker 20.10. */
function script(path: string, text: string): string[] {
  const lines = text.split("\n").map((line) => `    '${line}' \\`);
  return [`RUN printf '%s\\n' \\`, ...lines, `    > ${path}`];
}

const nginxConfiguration = `worker_processes auto;
pid /tmp/nginx.pid;
daemon off;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  server_tokens off;
  sendfile on;
  gzip on;
  gzip_vary on;
  gzip_types text/css application/javascript application/json image/svg+xml text/plain application/manifest+json;
  client_body_temp_path /tmp/nginx-body;
  proxy_temp_path /tmp/nginx-proxy;
  fastcgi_temp_path /tmp/nginx-fastcgi;
  uwsgi_temp_path /tmp/nginx-uwsgi;
  scgi_temp_path /tmp/nginx-scgi;
  server {
    listen ${imagePorts[1]};
    root /srv/app;
    location /assets/ {
      try_files $uri =404;
      add_header Cache-Control "public, max-age=31536000, immutable";
    }
    location / {
      try_files $uri /index.html;
      add_header Cache-Control "no-cache";
    }
  }
}`;

/** What no build of the project takes in, above all the `.env` files: they name Lovable's backend. */
export const neverBuilt = `.env*
!.env.example
Pulumi.*
.ikoma
*.bundle.json
`;

/** What stays out of the build that is made here. */
export const dockerignore = `.git
node_modules
dist
.output
.nitro
.tanstack
.vercel
.wrangler
supabase/.temp
*.log
Dockerfile*
.dockerignore
compose.yaml
${neverBuilt}`;
