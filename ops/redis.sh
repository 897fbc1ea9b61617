#!/bin/sh
# Redis with its password from a file: a command line is seen by every process of the machine.
set -eu
umask 077
password=$(cat "$REDIS_PASSWORD_FILE")
[ -n "$password" ] || {
  echo "redis: $REDIS_PASSWORD_FILE is empty: run sh ops/secrets.sh" >&2
  exit 1
}
config="${TMPDIR:-/tmp}/redis.conf"
printf 'requirepass %s\n' "$password" >"$config"
exec redis-server "$config" "$@"
