#!/usr/bin/env bash
# The firewall with real packets: a node, another node, an administrator, a stranger and a pod, each a
# network namespace on one wire. Usage: tests/steps/firewall.sh DRIVE
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/sandbox.sh"
sandbox_enter "$@"
sandbox_root
sandbox_drive "$1"
mount --rbind /dev "$ROOT/dev"

connect() { at "$1" "$DRIVE" connect "$2" "$3"; } # FROM ADDRESS PORT
step() { at node "$DRIVE" step /tmp/seeds/a firewall; }

sandbox_wire
plug node 192.0.2.11/24 52:54:00:00:00:0a
plug peer 192.0.2.12/24 52:54:00:00:00:0b
plug stranger 192.0.2.99/24
plug admin 198.51.100.5/24
ip -n node route add 198.51.100.0/24 dev eth0
ip -n admin route add 192.0.2.0/24 dev eth0
ip -n node addr add 2001:db8::11/64 dev eth0 nodad
ip -n stranger addr add 2001:db8::99/64 dev eth0 nodad
# a pod behind the bridge that K3s makes
ip netns add pod
ip -n node link add cni0 type bridge
ip -n node addr add 10.42.0.1/24 dev cni0
ip -n node link set cni0 up
ip -n node link add vethpod type veth peer name eth0 netns pod
ip -n node link set vethpod master cni0 up
ip -n pod addr add 10.42.0.5/24 dev eth0
ip -n pod link set eth0 up
ip -n pod route add default via 10.42.0.1
at node sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
# a NodePort and a hostPort, as Kubernetes makes them
at node nft -f - <<-'EOF'
	table ip kube {
		counter seen { }
		chain prerouting {
			type nat hook prerouting priority dstnat
			tcp dport 30080 dnat to 10.42.0.5:8080
			tcp dport 443 dnat to 10.42.0.5:8443
		}
	}
EOF
at node "$DRIVE" listen 22 80 2379 2380 5001 6440 6443 8081 9100 10250 >/dev/null &
at pod "$DRIVE" listen 8080 8443 >/dev/null &
seeds ""
sleep 0.3

# Before: everything answers, so that a silence later means something.
for port in 22 80 443 6443 8081 30080; do yes "before: a stranger reaches $port" connect stranger 192.0.2.11 "$port"; done
yes 'before: a stranger reaches 6443 by IPv6' connect stranger 2001:db8::11 6443

# a connection that lasts
mkfifo "$ROOT/tmp/fifo"
at stranger "$DRIVE" connect 192.0.2.11 80 /tmp/fifo >"$ROOT/tmp/echo" &
exec {fifo}>"$ROOT/tmp/fifo"

expect 'the first run loads it' 'changed|' step
expect 'the second run changes nothing' 'done|' step

for port in 80 443; do
	yes "a stranger reaches $port" connect stranger 192.0.2.11 "$port"
done
for port in 22 2379 2380 5001 6440 6443 8081 9100 10250; do
	no "a stranger does not reach $port" connect stranger 192.0.2.11 "$port"
done
no 'a NodePort is closed to a stranger' connect stranger 192.0.2.11 30080
no 'a NodePort is closed to the other node' connect peer 192.0.2.11 30080
for port in 80 443 2379 2380 5001 6440 6443 9100 10250; do
	yes "the other node reaches $port" connect peer 192.0.2.11 "$port"
done
for port in 22 8081; do no "the other node does not reach $port" connect peer 192.0.2.11 "$port"; done
yes 'an administrator reaches 22' connect admin 192.0.2.11 22
for port in 6443 10250 8081; do no "an administrator does not reach $port" connect admin 192.0.2.11 "$port"; done
for port in 80 6443 10250 9100; do yes "a pod reaches the node's $port" connect pod 192.0.2.11 "$port"; done
for port in 22 2379 6440; do
	no "a pod does not reach the node's $port" connect pod 192.0.2.11 "$port"
	no "a pod does not reach $port at the bridge" connect pod 10.42.0.1 "$port"
done
yes 'the node reaches its pod' connect node 10.42.0.5 8080
yes 'the node reaches itself' connect node 192.0.2.11 6443
yes 'IPv6: a stranger reaches 80' connect stranger 2001:db8::11 80
no 'IPv6: a stranger does not reach 6443' connect stranger 2001:db8::11 6443
yes 'ARP is not filtered' at stranger "$DRIVE" arp eth0 192.0.2.11
no 'nobody else has the address' at node "$DRIVE" arp eth0 192.0.2.11
ip -n stranger addr add 192.0.2.11/32 dev eth0
yes 'a second owner of the address is noticed' at node "$DRIVE" arp eth0 192.0.2.11
ip -n stranger addr del 192.0.2.11/32 dev eth0
# a stranger who takes a pod's address is no pod
ip -n stranger addr add 10.42.0.77/32 dev eth0
no "a pod's address from outside opens nothing" at stranger sh -c "ip route replace 192.0.2.11 dev eth0 src 10.42.0.77; $DRIVE connect 192.0.2.11 6443"
ip -n stranger route del 192.0.2.11
ip -n stranger addr del 10.42.0.77/32 dev eth0

# What somebody else does to the table is noticed and put right.
at node nft flush ruleset
expect 'a flushed table is loaded again' 'changed|' step
no '… and filters' connect stranger 192.0.2.11 6443
at node nft add rule inet phoenix outside tcp dport 6443 accept
expect 'an added rule is noticed' 'changed|' step
at node nft delete table inet phoenix
expect 'a deleted table is noticed' 'changed|' step
at node nft add element inet phoenix admin '{ 203.0.113.0/24 }'
expect 'an added address is noticed' 'changed|' step
expect 'then all is well' 'done|' step

# Other tables stay, and connections live through a new load.
at node nft -f - <<-'EOF'
	table inet other {
		chain c { type filter hook input priority 0; }
	}
EOF
before=$(at node nft -s list table inet other)
echo second >&"$fifo"
rm "$ROOT/run/phoenix/firewall"
expect 'a lost note loads once more' 'changed|' step
echo third >&"$fifo"
sleep 0.3
expect 'the connection lived through it' $'hello\nsecond\nthird' cat "$ROOT/tmp/echo"
same 'other tables are untouched' "$before" "$(at node nft -s list table inet other)"
exec {fifo}>&-
finish
