#!/usr/bin/env bash
# lib/pg against a real PostgreSQL and a real PgBouncer. tests/db/pg.sh DRIVER
# As root, with Debian's archive in reach the first time; half a minute.
# shellcheck disable=SC2016 # expanded by the shell in the root
set -euo pipefail

DRIVER=$(realpath "$1")
REPO=$(realpath "$(dirname "$0")/../..")
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/db/lib.sh"
db_namespace "$0" "$DRIVER"
DIR=$(mktemp -d)
trap 'cd /; rm -rf --one-file-system "$DIR"' EXIT
ip link set lo up
chmod 755 "$DIR"
db_certificates
install -d -o "$DB_USER" -g "$DB_GROUP" "$DIR/pg"

cat >"$DIR/settings" <<-'EOT'
	listen_addresses = '127.0.0.1'
	unix_socket_directories = '/test/pg/run'
	fsync = off
	ssl = on
	ssl_cert_file = '/test/server.pem'
	ssl_key_file = '/test/server.key'
EOT

# The second server is one that never lets anybody in: it recovers for ever.
db_run server '
	umask 077
	mkdir /test/pg/run
	echo secret >/test/pg/password
	initdb -D /test/pg/one -U postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile=/test/pg/password -E UTF8 --locale=C
	cat /test/settings >>/test/pg/one/postgresql.conf
	cp -r /test/pg/one /test/pg/two
	touch /test/pg/two/standby.signal
	printf "port = 5433\nhot_standby = off\n" >>/test/pg/two/postgresql.conf
	cat >/test/pg/bouncer.ini <<-EOT
		[databases]
		* = host=/test/pg/run
		[pgbouncer]
		listen_addr = 127.0.0.1
		listen_port = 6432
		unix_socket_dir =
		auth_type = trust
		auth_file = /test/pg/users
		admin_users = admin
		pool_mode = transaction
	EOT
	printf "\"admin\" \"\"\n\"postgres\" \"\"\n" >/test/pg/users
	pg_ctl -D /test/pg/one -l /test/pg/one.log -w start
	pg_ctl -D /test/pg/two -l /test/pg/two.log -W start
	pgbouncer /test/pg/bouncer.ini >/test/pg/bouncer.log 2>&1 &
	until_is() { # STATUS PORT: as pg_isready says it: 0 answers, 1 lets nobody in
		n=0
		while status=0; pg_isready -q -h 127.0.0.1 -p "$2" || status=$?; [ "$status" != "$1" ]; do
			n=$((n + 1))
			[ "$n" -lt 300 ] || { echo "port $2 does not answer"; exit 1; }
			sleep 0.1
		done
	}
	until_is 1 5433
	until_is 0 6432
' >"$DIR/log" 2>&1 || { cat "$DIR/log" "$DIR"/pg/*.log >&2; die 'no servers'; }

PG_DIR=$DIR "$DRIVER"
