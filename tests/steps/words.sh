#!/usr/bin/env bash
# The operator's words as they are typed: what is refused before anybody hears it, and what the daemon is told. The daemon and another node
# are made up (member.c). Usage: tests/steps/words.sh DRIVE MEMBER PHOENIX
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/sandbox.sh"
sandbox_enter "$@"
sandbox_root
sandbox_drive "$1"
cp "$2" "$ROOT/tmp/member"
cp "$3" "$ROOT/tmp/phoenix"
mount --rbind /dev "$ROOT/dev"
sandbox_wire
plug node 192.0.2.11/24
plug peer 192.0.2.12/24
plug third 192.0.2.13/24 # off; a machine that refuses is a silence that takes no time
seeds ""
install -D -m 600 "$ROOT/tmp/seeds/a" "$ROOT/etc/phoenix/imported/phoenix-seed.yaml"
ID=11111111111111111111111111111111
phoenix() { at node /tmp/phoenix "$@" </dev/null; }
heard() { grep '^word ' "$BOX/heard" || true; }
status() { "$@" >/dev/null 2>&1 && echo 0 || echo $?; }
serve() { # NS SEED OUTPUT
	at "$1" /tmp/member "/tmp/seeds/$2" $ID /tmp >>"$3" 2>&1 &
	until grep -qs ready "$3"; do sleep 0.05; done
}

expect 'without a daemon it is said who does not answer' \
	'*the daemon of this node (phoenix-firstboot.service): *' phoenix form --with-missing phoenix-c --confirm railiance
serve node a "$BOX/heard"
serve peer b "$BOX/peer"

expect 'a node that there is not' "*'phoenix-x' is no node of this cluster*" phoenix form --with-missing phoenix-x --confirm railiance
expect 'this machine is not missing' '*phoenix-a is this machine: it is not missing*' phoenix form --with-missing phoenix-a --confirm railiance
expect 'who answers is not destroyed' '*phoenix-b answers and is member: it is not destroyed*' \
	phoenix recover --keep phoenix-a --destroyed phoenix-c --destroyed phoenix-b --confirm railiance
expect 'the data of another node is kept there' '*this machine is phoenix-a: run it on phoenix-b itself*' \
	phoenix recover --keep phoenix-b --destroyed phoenix-c --confirm railiance
expect 'neither a node nor a promise' "*'phoenix' is neither a node nor the id of a promise*" phoenix forget phoenix --confirm railiance
expect 'no id of an incarnation' "*'phoenix-a' is not the id of an incarnation*" phoenix abandon phoenix-a --confirm railiance
expect 'another name is a no' "*'railience' is not this cluster's name: nothing was done*" \
	phoenix form --with-missing phoenix-c --confirm railience
expect 'nothing typed is a no' "*DANGER: *Type the cluster's name (railiance) to go on: *'' is not this cluster's name*" \
	phoenix form --with-missing phoenix-c
expect 'another name typed is a no' "*'yes' is not this cluster's name*" at node /tmp/phoenix abandon $ID <<<yes
same 'a no is a failure' 2 "$(status phoenix form --with-missing phoenix-c --confirm railience)"
same 'of all these the daemon heard nothing' '' "$(heard)"

expect 'the name typed is a yes, and what is known is shown first' "*phoenix-c*not known*DANGER: *written down*" \
	at node /tmp/phoenix form --with-missing phoenix-c <<<railiance
same 'the daemon hears who is missing, and a generation that nobody has seen' 'word missing phoenix-c generation 2' "$(heard)"
: >"$BOX/heard"
same 'recover' 0 "$(status phoenix recover --keep phoenix-a --destroyed phoenix-c --confirm railiance)"
same 'forget a node' 0 "$(status phoenix forget phoenix-c --confirm railiance)"
same 'forget a promise' 0 "$(status phoenix forget $ID --confirm railiance)"
same 'abandon' 0 "$(status phoenix abandon $ID --confirm railiance)"
same 'abandon what no record names' 0 "$(status phoenix abandon unrecorded --confirm railiance)"
same 'the daemon hears each' "word recover phoenix-c generation 2
word forget phoenix-c generation 0
word forget $ID generation 0
word abandon $ID generation 0
word abandon generation 0" "$(heard)"
finish
