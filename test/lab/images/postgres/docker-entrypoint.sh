#!/usr/bin/env bash
# The part of the official entry point that is relied on: POSTGRES_PASSWORD,
# _USER, _DB (each also as _FILE), _INITDB_ARGS, _HOST_AUTH_METHOD, scripts in
# /docker-entrypoint-initdb.d, one initialisation per empty PGDATA.
set -Eeuo pipefail

from_file() {
  local name=$1 file="${1}_FILE"
  if [ -n "${!file:-}" ]; then
    export "$name=$(<"${!file}")"
    unset "$file"
  fi
}

initialise() {
  local password_file
  password_file=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$password_file"
  # shellcheck disable=SC2086 # initdb arguments are meant to be split
  initdb --username="$POSTGRES_USER" --pwfile="$password_file" ${POSTGRES_INITDB_ARGS:-}
  rm -f "$password_file"

  local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

run_initial_scripts() {
  # No TCP while the database is being prepared: a health check over TCP must
  # not see this server and then lose it.
  PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
  local psql=(psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER")
  if [ "$POSTGRES_DB" != postgres ]; then
    "${psql[@]}" --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
  fi
  local script
  for script in /docker-entrypoint-initdb.d/*; do
    # shellcheck disable=SC1090 # whatever the image or the user put there
    case $script in
    *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
    *.sql) "${psql[@]}" --dbname "$POSTGRES_DB" -f "$script" ;;
    *.sql.gz) gunzip -c "$script" | "${psql[@]}" --dbname "$POSTGRES_DB" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
}

if [ "${1:-}" = '' ] || [ "${1#-}" != "$1" ]; then
  set -- postgres "$@"
fi

if [ "$1" = postgres ]; then
  if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 00700 "$PGDATA"
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
    exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
  fi

  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do
      from_file "$name"
    done
    export POSTGRES_USER=${POSTGRES_USER:-postgres}
    export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
      echo 'Error: Database is uninitialized and superuser password is not specified.' >&2
      echo '       Set POSTGRES_PASSWORD to a non-empty value for the superuser.' >&2
      exit 1
    fi
    POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-unused} initialise
    run_initial_scripts
    unset POSTGRES_PASSWORD
    echo 'PostgreSQL init process complete; ready for start up.'
  fi
  # The official image changes the sample file; the flag has the same effect.
  set -- "$@" -c listen_addresses='*'
fi

exec "$@"
