# The Docker engine and the Debian packages the lab needs. Sourced by
# scripts/setup, which sets root, tools and os; each function prints its
# outcome on stdout.
# shellcheck shell=bash disable=SC2154

# The lab's registry speaks plain HTTP on its own network.
lab_network=10.77.0.0/16

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Each word: command:package, installed when the command is missing.
missing_packages() {
  local pair wanted=(ip:iproute2 iptables:iptables nsenter:util-linux ssh-keygen:openssh-client curl:curl)
  docker image inspect "debian:$DEBIAN_SUITE-slim" >/dev/null 2>&1 || wanted+=(debootstrap:debootstrap)
  docker info >/dev/null 2>&1 || wanted+=(dockerd:docker.io)
  # What only tests run: a HAProxy, a PostgreSQL with a pooler, an sshd and certificates of their own.
  [ "${IKOMA_SETUP_FOR:-}" != checks ] || wanted+=(haproxy:haproxy sshd:openssh-server openssl:openssl pg_createcluster:postgresql pgbouncer:pgbouncer)
  for pair in "${wanted[@]}"; do
    command -v "${pair%%:*}" >/dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || printf '%s ' "${pair##*:}"
  done
}

install_packages() {
  local packages
  packages=$(missing_packages)
  if [ -z "$packages" ]; then echo present && return; fi
  if ! command -v apt-get >/dev/null; then
    echo "not installed: $packages(no apt-get here; the lab needs them)" && return
  fi
  as_root apt-get update -qq >&2
  # shellcheck disable=SC2086 # a list of package names
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $packages >&2
  echo "installed $packages"
}

start_engine() {
  if docker info >/dev/null 2>&1; then echo running && return; fi
  if [ "$os" != linux ]; then echo "start Docker Desktop, then run scripts/setup again" >&2 && return 1; fi
  local log=$IKOMA_CACHE/docker/dockerd.log deadline=$((SECONDS + 40))
  mkdir -p "${log%/*}"
  # Its own session: it outlives this script, and there may be no init system.
  as_root setsid --fork dockerd --insecure-registry "$lab_network" >"$log" 2>&1 </dev/null
  until docker info >/dev/null 2>&1; do
    if [ $SECONDS -ge $deadline ]; then
      tail -n 20 "$log" >&2
      return 1
    fi
    sleep 0.2
  done
  echo started
}

# Plugins that the user has are left alone; compose v1 does not count.
link_plugins() {
  local plugin linked='' folder=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins
  mkdir -p "$folder"
  for plugin in compose buildx; do
    if ! docker "$plugin" version >/dev/null 2>&1; then
      local version
      if [ $plugin = compose ]; then version=$COMPOSE_VERSION; else version=$BUILDX_VERSION; fi
      ln -sfn "$tools/$plugin-$version/docker-$plugin" "$folder/docker-$plugin"
      docker "$plugin" version >&2
      linked+="$plugin "
    fi
  done
  echo "${linked:-present}"
}

install_modules() {
  if [ ! -f "$root/package-lock.json" ]; then echo 'no lock file yet' && return; fi
  if node "$root/scripts/node-modules-in-step.ts" "$root"; then echo present && return; fi
  (cd "$root" && npm ci --ignore-scripts --no-audit --no-fund) >&2
  echo installed
}
