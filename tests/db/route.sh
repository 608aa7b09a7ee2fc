#!/usr/bin/env bash
# phoenix route with real parts: three PostgreSQL, Pgpool-II, PgBouncer, each pod with a network of its own, and a double
# of the Kubernetes API. tests/db/route.sh DRIVER PHOENIX DOUBLE
# As root, with Debian's archive in reach the first time; two minutes.
# shellcheck disable=SC2016 # expanded by the shell in the root
set -euo pipefail

DRIVER=$(realpath "$1") PHOENIX=$(realpath "$2") DOUBLE=$(realpath "$3")
REPO=$(realpath "$(dirname "$0")/../..")
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/db/lib.sh"
db_namespace "$0" "$DRIVER" "$PHOENIX" "$DOUBLE"

# --- pods: postgres-N has 10.42.0.1N in the network p$N; p3 is of another cluster; the pooler is 10.42.0.30 in p9 ---
export DB_ROOT DB_USER DB_GROUP DIR
export -f db_run root_run
# in_pod N SCRIPT [WORD...]: as postgres in the pod's network; $1 is N.
in_pod() { ip netns exec "p$1" bash -euc 'db_run "$@"' _ "server$1" "$2" "$1" "${@:3}"; }

start() { # N
	in_pod "$1" 'pg_ctl -D "/test/pg/$1" -l "/test/pg/$1.log" -w start'
}
fresh() { # N: a cluster of its own
	in_pod "$1" '
		umask 077
		initdb -D "/test/pg/$1" -U postgres --auth=trust --no-sync -E UTF8 --locale=C
		cat /test/settings >>"/test/pg/$1/postgresql.conf"
		cat /test/hba >"/test/pg/$1/pg_hba.conf"
		mkdir "/test/pg/s$1"
		echo "unix_socket_directories = '"'/test/pg/s\$1'"'" >>"/test/pg/$1/postgresql.conf"
		pg_ctl -D "/test/pg/$1" -l "/test/pg/$1.log" -w start
		psql -h "/test/pg/s$1" -U postgres -v ON_ERROR_STOP=1 -qf /test/roles.sql'
}
clone() { # N UPSTREAM: as a standby
	in_pod "$1" '
		umask 077
		[ ! -d "/test/pg/$1" ] || pg_ctl -D "/test/pg/$1" -m immediate -w stop || true
		rm -rf "/test/pg/$1"
		mkdir -p "/test/pg/s$1"
		PGPASSWORD=repmgr-password pg_basebackup -d "host=10.42.0.1$2 user=repmgr sslmode=verify-ca sslrootcert=/test/ca.pem" \
			-D "/test/pg/$1" -R -X stream -c fast --no-sync
		echo "unix_socket_directories = '"'/test/pg/s\$1'"'" >>"/test/pg/$1/postgresql.conf"' "$2"
	start "$1"
}
pooler() { # as the kubelet does: again when it has ended
	while sleep 0.3; do
		ip netns exec p9 bash -euc 'root_run "$@"' _ "$DIR/root-route" "$DB_ROOT" "$DIR:/test" "$DIR/etc:/etc/phoenix" \
			"$DIR/run:/run/phoenix" "$DIR/account:/run/secrets/kubernetes.io/serviceaccount" -- \
			unshare --pid --fork --kill-child --mount-proc \
			setpriv --reuid="$DB_USER" --regid="$DB_GROUP" --clear-groups --no-new-privs \
			env POD_NAME=pooler-0 POD_NAMESPACE=database NODE_ADDRESS=10.42.0.1 PHOENIX_DEBUG="${PHOENIX_DEBUG:-}" \
			/test/phoenix route || true
		echo "route ended: $(date +%s.%N)"
	done >>"$DIR/route.log" 2>&1
}

# The driver's hand.
if [ "${ROUTE_HAND:-}" ]; then
	read -ra words <<<"$ROUTE_HAND"
	"${words[@]}" >>"$DIR/log" 2>&1
	exit
fi

pod() { # N ADDRESS
	ip netns add "p$1"
	ip link add "v$1" type veth peer name eth0 netns "p$1"
	ip link set "v$1" master lan up
	ip -n "p$1" link set lo up
	ip -n "p$1" address add "$2/24" dev eth0
	ip -n "p$1" link set eth0 up
}

DIR=$(mktemp -d)
# shellcheck disable=SC2046
trap 'kill $(jobs -p) 2>/dev/null || true; cd /; rm -rf --one-file-system "$DIR"' EXIT
chmod 755 "$DIR"
install -d -o "$DB_USER" -g "$DB_GROUP" "$DIR/pg" "$DIR/run"
mkdir -p "$DIR/etc/database" "$DIR/etc/secrets" "$DIR/etc/tls" "$DIR/account"
mount -t tmpfs tmpfs /run
ip link set lo up
ip link add lan type bridge
ip link set lan up
for n in 1 2; do ip address add "10.42.0.$n/24" dev lan; done
for n in 0 1 2 3; do pod "$n" "10.42.0.1$n"; done
pod 9 10.42.0.30
db_certificates
for name in api admin; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key" \
		-addext 'basicConstraints=critical,CA:FALSE' -addext 'subjectAltName=IP:10.42.0.1,IP:10.42.0.2' \
		-keyout "$DIR/$name.key" -out "$DIR/$name.pem" 2>/dev/null
done

cat >"$DIR/settings" <<-'EOT'
	listen_addresses = '*'
	fsync = off
	ssl = on
	ssl_cert_file = '/test/server.pem'
	ssl_key_file = '/test/server.key'
	max_connections = 250
	hot_standby_feedback = on
	wal_keep_size = 256MB
	wal_receiver_status_interval = 1s
	wal_retrieve_retry_interval = 200ms
	wal_sender_timeout = 5s
	wal_receiver_timeout = 5s
EOT
cat >"$DIR/hba" <<-'EOT'
	local all postgres trust
	hostssl replication repmgr 10.42.0.0/16 scram-sha-256
	hostssl all all 10.42.0.0/16 scram-sha-256
EOT
cat >"$DIR/roles.sql" <<-'EOT'
	CREATE ROLE repmgr SUPERUSER REPLICATION LOGIN PASSWORD 'repmgr-password';
	CREATE ROLE pgbauth LOGIN PASSWORD 'pgbauth-password';
	CREATE ROLE route LOGIN PASSWORD 'route-password' IN ROLE pg_monitor;
	CREATE ROLE gitea LOGIN PASSWORD 'gitea-password';
	CREATE DATABASE gitea OWNER gitea;
	CREATE SCHEMA phoenix;
	CREATE TABLE phoenix.term (term bigint, recorded bigint);
	INSERT INTO phoenix.term VALUES (1, 0);
	CREATE FUNCTION phoenix.get_auth(text) RETURNS TABLE (usename name, passwd text) LANGUAGE sql SECURITY DEFINER
		SET search_path = pg_catalog AS 'SELECT usename, passwd FROM pg_shadow WHERE usename = $1';
	REVOKE ALL ON FUNCTION phoenix.get_auth(text) FROM public;
	GRANT USAGE ON SCHEMA phoenix TO pgbauth, route;
	GRANT EXECUTE ON FUNCTION phoenix.get_auth(text) TO pgbauth;
	GRANT SELECT ON phoenix.term TO route;
	\c gitea gitea
	CREATE TABLE t (id bigserial PRIMARY KEY, x text);
EOT
sed -i 's/^local all postgres trust/local all all trust/' "$DIR/hba"
cat >"$DIR/etc/database/database.json" <<-'EOT'
	{"version": 1, "replication": "async", "reads": "standbys", "network": "10.42.0.0/16",
	 "api": ["https://10.42.0.1:6443", "https://10.42.0.2:6443"],
	 "services": [{"name": "gitea", "database": "gitea", "role": "gitea"}]}
EOT
for role in gitea pgbauth route; do printf '%s-password\n' "$role" >"$DIR/etc/secrets/$role"; done
cp "$DIR/ca.pem" "$DIR/etc/tls/ca.crt"
cp "$DIR/server.pem" "$DIR/etc/tls/server.crt"
cp "$DIR/server.key" "$DIR/etc/tls/server.key"
chmod 644 "$DIR"/etc/tls/* "$DIR"/etc/secrets/*
cp "$DIR/ca.pem" "$DIR/account/ca.crt"
echo database >"$DIR/account/namespace"
echo pooler-token >"$DIR/account/token"
echo 'pooler-token pooler' >"$DIR/tokens"
cp "$PHOENIX" "$DIR/phoenix"

"$DOUBLE" --cert "$DIR/api.pem" --key "$DIR/api.key" --client-ca "$DIR/ca.pem" --socket "$DIR/tell" --tokens "$DIR/tokens" \
	10.42.0.1:6443 10.42.0.2:6443 >"$DIR/api.log" 2>&1 &
{ fresh 0 && clone 1 0 && clone 2 0 && fresh 3; } >"$DIR/log" 2>&1 || { cat "$DIR/log" "$DIR"/pg/*.log >&2; die 'no servers'; }
pooler &
ROUTE_DIR=$DIR ROUTE_DOUBLE=$DOUBLE ROUTE_COMMAND="DIR='$DIR' '$0' '$DRIVER' '$PHOENIX' '$DOUBLE'" "$DRIVER" ||
	{ cat "$DIR/route.log" >&2; die 'route: not so'; }
