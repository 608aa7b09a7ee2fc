#!/usr/bin/env bash
# Three database pods (tests/db/pods.sh), clients that write all the time, and one thing
# that goes wrong after the other. tests/db/failover.sh PHOENIX API WRITER [async|sync] [CASE...]
# As root, with Debian's archive in reach the first time; about 15 s a case.
#
# After each case: one primary and two standbys again, by themselves; nothing that was acknowledged is
# missing (async, and the primary lost with its machine: what its last second had may be, and is
# counted); no acknowledgement on an old timeline after one on the new.
set -euo pipefail

PHOENIX=$(realpath "$1") API=$(realpath "$2") WRITER=$(realpath "$3")
MODE=${4:-async}
REPO=$(realpath "$(dirname "$0")/../..")
export REPO
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/db/lib.sh"
db_namespace "$0" "$@"
shift $(($# < 4 ? $# : 4))
DIR=$(mktemp -d "${TMPDIR:-/dev/shm}/failover.XXXXXX")
trap 'cd /; rm -rf --one-file-system "$DIR"' EXIT
# shellcheck source-path=SCRIPTDIR source=pods.sh
. "$REPO/tests/db/pods.sh"

CASES=(postgres_killed pod_killed pod_ends supervisor_killed supervisor_stops postgres_stops pod_stops link_cut peers_cut
	api_away_for_the_primary api_away_for_all answers_lost lease_deleted lease_edited lease_restored identity_deleted all_cut
	standby_killed standby_emptied standby_damaged nodes_edited pod_made_anew)
LEASE=/apis/coordination.k8s.io/v1/namespaces/database/leases/postgres
IDENTITY=/api/v1/namespaces/database/configmaps/postgres

gitea_in() { pod_in "$1" psql -h /run/postgresql -U phoenix -d gitea -XAtqc "$2"; }
again() { pod_run "$1" "$(cat "$DIR/pod-$1.uid")"; }
postgres_of() { # N: all its processes
	local own p
	own=$(readlink "/proc/$(keeper_of "$1")/ns/pid")
	for p in $(pgrep -x postgres); do [ "$(readlink "/proc/$p/ns/pid")" = "$own" ] && echo "$p"; done
}
stand_still() { # SECONDS PID...
	local seconds=$1
	shift
	kill -STOP "$@"
	sleep "$seconds"
	kill -CONT "$@" 2>/dev/null || true
}

# --- what goes wrong: P is the primary, S and O the standbys ---
postgres_killed() { kill -9 "$(postmaster_of "$P")"; }
pod_killed() { pod_kill "$P"; sleep 1; again "$P"; }
pod_ends() { kill -TERM "$(keeper_of "$P")"; wait "$(cat "$DIR/pod-$P.pid")" || true; again "$P"; }
supervisor_killed() { kill -9 "$(supervisor_of "$P")"; wait "$(cat "$DIR/pod-$P.pid")" || true; again "$P"; }
supervisor_stops() { stand_still 10 "$(supervisor_of "$P")"; }
# shellcheck disable=SC2046 # numbers
postgres_stops() { stand_still 8 $(postgres_of "$P"); }
# shellcheck disable=SC2046
pod_stops() { stand_still 10 "$(keeper_of "$P")" "$(supervisor_of "$P")" $(postgres_of "$P"); }
link_cut() { ip link set "pod$P" down; sleep 10; ip link set "pod$P" up; }
peers_cut() { # the API, but no peer
	nft add table bridge cut
	nft add chain bridge cut forward '{ type filter hook forward priority 0; }'
	nft add rule bridge cut forward ether type ip ip saddr "$(address_of "$P")" drop
	nft add rule bridge cut forward ether type ip ip daddr "$(address_of "$P")" drop
	sleep 10
	nft delete table bridge cut
}
api_away_for_the_primary() { api cut "pod-$P"; sleep 12; api heal "pod-$P"; }
api_away_for_all() { api down; sleep 20; api up; }
answers_lost() { api lose 6; sleep 8; }
lease_deleted() { api delete "$LEASE"; }
lease_edited() { api patch "$LEASE" '{"spec":{"holderIdentity":""}}'; }
lease_restored() { api snapshot before; sleep 5; api restore before; }
identity_deleted() { api delete "$IDENTITY"; pod_kill "$P"; again "$P"; }
all_cut() { pod_kill "$P"; pod_kill "$S"; pod_kill "$O"; again "$O"; again "$P"; sleep 1; again "$S"; }
standby_killed() { pod_kill "$S"; sleep 3; again "$S"; }
standby_emptied() { pod_kill "$S"; rm -rf "$DIR/volume-$S/data"; again "$S"; }
standby_damaged() { pod_kill "$S"; rm -rf "$DIR/volume-$S"/data/pg_wal/0*; again "$S"; }
nodes_edited() { pod_in "$P" psql -h /run/postgresql -U phoenix -d repmgr -XAtqc "UPDATE repmgr.nodes SET type = 'standby', active = false"; }
pod_made_anew() { pod_kill "$P"; rm -rf "$DIR/volume-$P"; pod_start "$P"; }

# In async these lose the primary at once, with what its last second had.
may_lose() {
	[ "$MODE" = async ] || return 1
	case $1 in pod_killed | supervisor_* | pod_stops | link_cut | all_cut | identity_deleted | pod_made_anew) return 0 ;; esac
	return 1
}

shows_one_primary() {
	[ "$(pod_in "$1" repmgr cluster show --csv 2>/dev/null | awk -F, '$2 == 0' | wc -l)" = 3 ] &&
		pod_in "$1" repmgr cluster show | awk -F '|' '/primary/ && /\* running/ {p++} /standby/ && /  running/ {s++} END {exit !(p == 1 && s == 2)}'
}
told() {
	local i
	for i in "${PODS[@]}"; do
		say "--- postgres-$i: $(cat "$DIR/pod-$i/run/pg.json" 2>/dev/null)"
		tail -n 25 "$DIR/postgres-$i.log" >&2
	done
	api get "$LEASE" >&2 || true
}
[ -z "${KEEP_LOGS:-}" ] || trap 'cp "$DIR"/postgres-*.log "$KEEP_LOGS"; cd /; rm -rf --one-file-system "$DIR"' EXIT
broken() { say "$MODE: $1: $2"; told; exit 1; }

one() {
	local name=$1 writer acknowledged errors longest backwards missing
	P=$(primary) S=$(((P + 1) % 3)) O=$(((P + 2) % 3))
	gitea_in "$P" 'TRUNCATE w'
	"$WRITER" "$CLIENTS" 4 "$DIR/acknowledged" >"$DIR/writer" &
	writer=$!
	sleep 2
	"$name"
	sleep 1
	until_true 60 "$MODE: whole after $name" is_whole || broken "$name" 'does not come back'
	until_true 10 'repmgr.nodes' shows_one_primary "$(primary)" || broken "$name" 'repmgr cluster show'
	sleep 1
	kill "$writer"
	wait "$writer"
	read -r _ acknowledged _ errors _ longest _ backwards <"$DIR/writer"
	gitea_in "$(primary)" "SELECT client || ' ' || number FROM w" | sort >"$DIR/present"
	missing=$(cut -d ' ' -f 1,2 "$DIR/acknowledged" | sort | comm -23 - "$DIR/present" | wc -l)
	printf '%s: %-26s postgres-%s -> postgres-%s  %6d acknowledged, %d ms without, %d errors, %d missing\n' "$MODE" "$name" "$P" \
		"$(primary)" "$acknowledged" "$longest" "$errors" "$missing"
	[ "$acknowledged" -gt 0 ] || broken "$name" 'nothing was acknowledged'
	[ "$backwards" = 0 ] || broken "$name" "$backwards acknowledged on an old timeline after one on the new"
	[ "$missing" = 0 ] || may_lose "$name" || broken "$name" "$missing acknowledged rows are missing"
}

pods_prepare "$MODE" >/dev/null
for i in "${PODS[@]}"; do pod_start "$i"; done
until_true 60 "$MODE: three pods from nothing" is_whole || broken start 'no database'
gitea_in "$(primary)" 'CREATE TABLE w (client int, number bigint, timeline bigint, PRIMARY KEY (client, number)); GRANT ALL ON w TO gitea'
CLIENTS="host=$(address_of 0),$(address_of 1),$(address_of 2) user=gitea password=gitea-secret dbname=gitea sslmode=require"
CLIENTS+=' target_session_attrs=read-write connect_timeout=2 tcp_user_timeout=2000'
[ $# -gt 0 ] || set -- "${CASES[@]}"
for name; do one "$name"; done
printf '%s: %d cases\n' "$MODE" $#
