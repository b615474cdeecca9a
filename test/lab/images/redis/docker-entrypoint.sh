#!/bin/sh
# The official image is compiled to answer other hosts; Debian's program has to be told.
set -e
if [ "$1" = redis-server ]; then set -- "$@" --protected-mode no; fi
exec "$@"
