#!/bin/sh
# Makes the secrets of docker-compose.yml: sh ops/secrets.sh [FOLDER]. What is there already stays.
# The files are readable for all, since containers read them as users of their own; the folder is not.
set -eu
folder=${1:-./secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

secret() { # NAME TEXT
  [ -s "$folder/$1" ] || printf '%s\n' "$2" >"$folder/$1"
  chmod 444 "$folder/$1"
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

secret postgres_password "$(random)"
secret database_url "postgresql+psycopg://touchstone:$(cat "$folder/postgres_password")@postgres:5432/touchstone"
secret redis_password "$(random)"
secret broker_url "redis://:$(cat "$folder/redis_password")@redis:6379/0"
secret flower_login "touchstone:$(random)"
secret grafana_password "$(random)"
secret minio_password "$(random)"
secret s3_credentials "[default]
aws_access_key_id = touchstone
aws_secret_access_key = $(cat "$folder/minio_password")"

grep -qs '^STACK_SECRETS=' .env || printf 'STACK_SECRETS=%s\n' "$folder" >>.env
echo "The secrets lie in $folder, and .env names it. Keep both out of backups that others read."
