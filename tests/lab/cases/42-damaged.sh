# shellcheck shell=bash
# A node's database is damaged. It is neither started nor taken for nothing: the
# node says so, the others go on, and a word puts it aside; or, when a second node
# is lost, the word that keeps the third.
# needs: product k3s
# list: full
# limit: 900

DB=/var/lib/rancher/k3s/server/db
untouched() { ! k3s_runs "$C" && [ "$(on "$C" sha256sum "$DB/etcd/member/snap/db")" = "$1" ]; }

damage() {
	on "$C" systemctl kill -s STOP k3s # or it writes the page once more
	on "$C" dd if=/dev/zero of="$DB/etcd/member/snap/db" bs=4096 count=4 conv=notrunc status=none
	lab cut "$C"
	lab boot "$C"
	within 60 "$C says it, and the word" tells "$C" "is damaged" "phoenix abandon $1\` on $C" "bbolt"
}

# It answers, so it cannot be declared destroyed; it retires like any other.
kept_beside_it() {
	lab cut "$B"
	damage "$1"
	must "recover" word "$A" recover --keep "$A" --destroyed "$B"
	within "$JOIN_LIMIT" "$A is back" api_writes "$A"
	within "$JOIN_LIMIT" "$C joins by itself" voters_are "$C" "$A" "$C"
	must_be "databases kept aside on $C" "$(aside "$C")" 2
	lab wipe "$B"
	lab boot "$B"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$1"
}

case_run() {
	local id sum
	step form
	formed
	id=$(mark "$A" id)
	step 'damage'
	damage "$id"
	sum=$(on "$C" sha256sum "$DB/etcd/member/snap/db")
	stays 15 "$C does nothing with it" untouched "$sum"
	must "the others go on" api_writes "$A"
	must_not "another word is taken" word "$C" recover --keep "$C"
	step abandon
	must "abandon" word "$C" abandon "$id"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$id"
	must_be "databases kept aside on $C" "$(aside "$C")" 1
	must "with the damaged file" on "$C" sh -c "sha256sum '$DB'-aside-*/etcd/member/snap/db | grep -q '${sum%% *}'"
	step 'a second node is lost'; kept_beside_it "$id"
}
