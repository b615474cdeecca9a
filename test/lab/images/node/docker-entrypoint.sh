#!/bin/sh
# `docker run image -e '1+1'` or `… script.js` runs node; a command runs as it is.
set -e
if [ "${1#-}" != "$1" ] || ! command -v "$1" >/dev/null 2>&1 || { [ -f "$1" ] && [ ! -x "$1" ]; }; then
  set -- node "$@"
fi
exec "$@"
