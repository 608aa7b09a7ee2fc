#!/usr/bin/env bash
# The network step on real cards: the address, the way out, and who else answers for the address. Usage: tests/steps/network.sh DRIVE
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/sandbox.sh"
sandbox_enter "$@"
sandbox_root
sandbox_drive "$1"
mount --rbind /dev "$ROOT/dev"
sandbox_wire
plug node 198.51.100.11/24 52:54:00:00:00:0a
plug router 192.0.2.1/24
plug stranger 192.0.2.99/24
sys_of node
seeds ""
step() { at node "$DRIVE" step /tmp/seeds/a network "$@"; }
mac() { ip -n "$1" -j link show eth0 | jq -r ".[0].address"; }

expect 'waits for its address' 'waiting|waiting for 192.0.2.11/24 on eth0*' step
ip -n node addr add 192.0.2.11/25 dev eth0
expect 'another prefix is an error' 'failed|192.0.2.11 on eth0 has the prefix /25*' step
ip -n node addr flush dev eth0
ip -n node addr add 192.0.2.11/24 dev eth0
expect 'waits for a way out' 'waiting|waiting for a default route by 192.0.2.1*' step
ip -n node route add default via 192.0.2.1

before=$(cat "$ROOT/etc/hosts")
ip -n stranger addr add 192.0.2.11/24 dev eth0
expect 'another machine with the address is an error, and named' \
	"failed|192.0.2.11 is also the address of the machine with the MAC $(mac stranger)" step
same 'nothing was written then' "$before" "$(cat "$ROOT/etc/hosts")"
expect 'a plan does not ask the others' "needed|the nodes' names are missing in /etc/hosts" step --plan
ip -n stranger addr del 192.0.2.11/24 dev eth0
# what a router with proxy ARP says: the address is where the gateway is
ip -n router addr add 192.0.2.11/24 dev eth0
expect 'a gateway that answers for everybody is no second owner' 'changed|' step
yes 'the names are there' grep -qx '192.0.2.13 phoenix-c' "$ROOT/etc/hosts"
expect 'the second run changes nothing' 'done|' step
finish
