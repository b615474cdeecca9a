import { toIkomaError } from "../errors.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { runStep } from "./host-commands.ts";

const installTimeoutMs = 10 * 60_000;

/** Docker's own packages, for Debian and Ubuntu. Short time-outs: a host without a way there must not wait long. */
const vendorScript = `
. /etc/os-release
export DEBIAN_FRONTEND=noninteractive
undo() { rm -f /etc/apt/sources.list.d/docker.list /etc/apt/keyrings/docker.asc; exit 1; }
command -v curl >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends curl ca-certificates; } || exit
install -m 0755 -d /etc/apt/keyrings
site=https://download.docker.com/linux/$ID
curl -fsSL --connect-timeout 5 --max-time 20 "$site/gpg" -o /etc/apt/keyrings/docker.asc || undo
chmod a+r /etc/apt/keyrings/docker.asc
echo "deb [arch=$(dpkg --print-architecture) signed-by=/etc/apt/keyrings/docker.asc] $site $VERSION_CODENAME stable" >/etc/apt/sources.list.d/docker.list
apt-get update -q -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 || undo
apt-get install -y -q --no-install-recommends docker-ce docker-ce-cli containerd.io docker-compose-plugin || undo
`;

/** What the distribution has; its client is a package of its own since Debian 13. */
const distributionScript = `
export DEBIAN_FRONTEND=noninteractive
apt-get update -q || exit
set -- docker.io iptables
! apt-cache show docker-cli >/dev/null 2>&1 || set -- "$@" docker-cli
apt-get install -y -q --no-install-recommends "$@"
`;

const startScript = `
if [ -d /run/systemd/system ]; then systemctl enable --now docker; else service docker start; fi >&2 || true
end=$(($(date +%s) + 30))
until docker version >/dev/null 2>&1; do
  [ "$(date +%s)" -lt "$end" ] || { docker version >&2; exit 1; }
  sleep 0.2
done
docker version --format '{{.Server.Version}}'
`;

/**
 * Installs the Docker engine on a Debian or Ubuntu host: from Docker's own packages, or where these cannot be had from
 * the distribution's; starts it and waits until it answers. Needs root.
 *
 * @returns the engine's version
 */
export async function installEngine(connection: SshConnection, onNote: (text: string) => void): Promise<string> {
  try {
    await runStep(connection, { step: "install Docker's packages", script: vendorScript, timeoutMs: installTimeoutMs });
  } catch (error) {
    onNote(`Docker's packages cannot be had (${lastLine(toIkomaError(error).message)}); taking the distribution's`);
    await runStep(connection, {
      step: "install the distribution's Docker",
      script: distributionScript,
      timeoutMs: installTimeoutMs,
    });
  }
  return runStep(connection, { step: "start the Docker engine", script: startScript });
}

/** The plugin of the agent's own image, in the folder where every version of the client looks for it. */
const composeScript = `
folder=/usr/local/lib/docker/cli-plugins
mkdir -p "$folder" || exit
id=$(docker create "$1" true) || exit
docker cp "$id:/usr/local/bin/docker-compose" "$folder/docker-compose.new"; code=$?
docker rm "$id" >/dev/null
[ "$code" = 0 ] || exit "$code"
chmod 755 "$folder/docker-compose.new" && mv "$folder/docker-compose.new" "$folder/docker-compose" || exit
docker compose version --short
`;

/**
 * Puts `docker compose` on a host that has none, out of the agent's image. Needs root.
 *
 * @returns its version
 */
export function installCompose(connection: SshConnection, agentImage: string): Promise<string> {
  return runStep(connection, { step: "put docker compose there", script: composeScript, args: [agentImage] });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? text;
}
