#!/usr/bin/env bash
# The fence module in a real PostgreSQL, a primary and a standby; then once more without
# each of its rules, which has to be noticed. tests/db/fence.sh DRIVER
# As root, with Debian's archive in reach the first time; a minute.
# shellcheck disable=SC2016 # expanded by the shell in the root
set -euo pipefail

DRIVER=$(realpath "$1")
REPO=$(realpath "$(dirname "$0")/../..")
# the case that notices when a rule is gone; the first is rule 1
GUARDS=(our_own_statements_begin without_a_permit_no_statement_begins without_a_permit_nothing_is_read
	a_statement_older_than_its_permit without_a_permit_nothing_is_read the_fast_path
	a_commit_is_refused_before_it_is_written a_commit_that_waited_too_long_is_not_acknowledged
	the_supervisors_commits_need_no_permit)
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/db/lib.sh"
db_namespace "$0" "$DRIVER"
# compiled [CFLAGS]: the module, against the headers of the server that runs it.
compiled() {
	make -s -C "$REPO" SAY=@true BUILD="$DIR/build" CFLAGS="${1:-}" PG_HEADERS="$DB_ROOT/usr/include" -B "$DIR/build/phoenix_fence.so"
	mv "$DIR/build/phoenix_fence.so" "$DIR/"
}

made() {
	db_run server '
		umask 077
		initdb -D /test/pg/one -U postgres --auth=trust --no-sync -E UTF8 --locale=C
		pg_ctl -D /test/pg/one -l /test/pg/log -o "-c listen_addresses= -k /test/pg" -w start
		psql -h /test/pg -U postgres -qc "CREATE ROLE phoenix SUPERUSER LOGIN" -c "CREATE ROLE supervisor SUPERUSER LOGIN" \
			-c "CREATE ROLE app LOGIN" \
			-c "CREATE TABLE t (x int)" -c "GRANT ALL ON t TO app"
		pg_ctl -D /test/pg/one -m fast -w stop
		cat /test/settings >>/test/pg/one/postgresql.conf
		cp -r /test/pg/one /test/pg/two
		touch /test/pg/two/standby.signal
		printf "%s\n" "port = 5433" "phoenix.permit = '"'/test/two.permit'"'" "hot_standby = on" \
			"primary_conninfo = '"'host=127.0.0.1 user=postgres'"'" >>/test/pg/two/postgresql.conf' \
		>"$DIR/log" 2>&1
}
# refuses_to_start TEXT OPTION...: says TEXT and does not run.
refuses_to_start() {
	local text=$1
	shift
	if db_run server 'postgres -D /test/pg/one "$@"' "$@" >"$DIR/refused" 2>&1; then die "it started: $*"; fi
	grep -qF "$text" "$DIR/refused" || { cat "$DIR/refused" >&2; die "it did not say \`$text'"; }
}
start() {
	db_run server '
		pg_ctl -D /test/pg/one -l /test/pg/one.log -w start
		pg_ctl -D /test/pg/two -l /test/pg/two.log -w start' >"$DIR/log" 2>&1
}
stop() {
	db_run server '
		pg_ctl -D /test/pg/two -m fast -w stop
		pg_ctl -D /test/pg/one -m fast -w stop' >"$DIR/log" 2>&1
}
fail() { cat "$DIR/log" "$DIR"/pg/*log >&2; die "$@"; }

# The driver has the servers started when the permits are there.
if [ "${FENCE_START:-}" ]; then
	DIR=$FENCE_START
	start || fail 'no servers'
	exit
fi

DIR=$(mktemp -d)
trap 'cd /; rm -rf --one-file-system "$DIR"' EXIT
ip link set lo up
chmod 755 "$DIR"
install -d -o "$DB_USER" -g "$DB_GROUP" "$DIR/pg"
cat >"$DIR/settings" <<-'EOT'
	listen_addresses = '127.0.0.1'
	unix_socket_directories = '/test/pg'
	fsync = off
	wal_receiver_status_interval = 1s
	shared_preload_libraries = '/test/phoenix_fence.so'
	phoenix.permit = '/test/one.permit'
	phoenix.exempt = 'phoenix, repmgr, supervisor'
	phoenix.supervisor = 'supervisor'
EOT
compiled
made || fail 'no servers'
refuses_to_start 'phoenix.permit: "/test/one.permit": No such file'
head -c 32 /dev/zero >"$DIR/one.permit"
refuses_to_start '"/test/one.permit" is not a permit'
: >"$DIR/one.permit"
refuses_to_start '"/test/one.permit" is not a permit'
run() { PG_DIR=$DIR "$DRIVER" "FENCE_START='$DIR' '$0' '$DRIVER'"; }
run || fail 'the fence does not hold'
stop || fail 'they do not stop'
refuses_to_start 'set max_prepared_transactions to 0' -c max_prepared_transactions=1

for i in "${!GUARDS[@]}"; do
	rule=$((i + 1)) guard=${GUARDS[i]}
	compiled "-DFENCE_REMOVED=$rule"
	run >"$DIR/mutant" 2>&1 || true
	# only an assertion that fails has noticed
	grep -q "^\[  FAILED  \] $guard\$" "$DIR/mutant" || { cat "$DIR/mutant" >&2; fail "without rule $rule $guard passes"; }
	printf 'without rule %d %s fails\n' "$rule" "$guard"
	stop || fail 'they do not stop'
done
