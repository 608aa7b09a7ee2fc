# shellcheck shell=bash
# The lab's network: a namespace of its own with a bridge that is the nodes'
# gateway and leads nowhere, and a namespace for each node that lives from power
# on to power off. Nothing of it is ever seen in the machine's own namespace.

NODE_IF=lan0                            # the interface as the node sees it
node_ns() { printf '%s-%s' "$TAG" "$1"; }
in_lab_net() { nsenter --net="/run/netns/$TAG" -- "$@"; }

net_up() {
	[ -e "/run/netns/$TAG" ] || ip netns add "$TAG"
	ip -n "$TAG" link set lo up
	ip -n "$TAG" link show br0 >/dev/null 2>&1 || ip -n "$TAG" link add br0 type bridge
	ip -n "$TAG" addr replace "$GATEWAY/$PREFIX" dev br0
	ip -n "$TAG" link set br0 up
}

# net_plug NODE: a fresh network card in a fresh namespace, as after power on.
# The cable's other end is the bridge port that has the node's name.
net_plug() {
	local ns
	ns=$(node_ns "$1")
	net_unplug "$1"
	ip netns add "$ns"
	ip -n "$TAG" link add "$1" type veth peer name "$NODE_IF" address "${NODE_MAC[$1]}" netns "$ns"
	ip -n "$TAG" link set "$1" master br0
	[ -e "$(node_dir "$1")/unplugged" ] || ip -n "$TAG" link set "$1" up
}

net_unplug() {
	ip -n "$TAG" link del "$1" 2>/dev/null || true
	[ ! -e "/run/netns/$(node_ns "$1")" ] || ip netns del "$(node_ns "$1")"
}

net_down() {
	local n
	for n in "${NODES[@]}"; do net_unplug "$n"; done
	[ ! -e "/run/netns/$TAG" ] || ip netns del "$TAG"
}

# lab link NODE up|down: pulls the cable: the node loses its carrier. Holds over
# a reboot.
cmd_link() {
	[ $# = 2 ] || usage_error "link NODE up|down"
	node_check "$1"; node_exists "$1"
	case $2 in
	up) rm -f "$(node_dir "$1")/unplugged" ;;
	down) touch "$(node_dir "$1")/unplugged" ;;
	*) usage_error "link $1 $2: up or down" ;;
	esac
	ip -n "$TAG" link set "$1" "$2" 2>/dev/null || true # off: applied at power on
}

# lab partition A B: the two no longer see each other, everybody else sees both.
cmd_partition() {
	[ $# = 2 ] || usage_error "partition NODE NODE"
	node_check "$1"; node_check "$2"; node_exists "$1"
	[ "$1" != "$2" ] || usage_error "partition $1 $2: two different nodes"
	in_lab_net nft -f - <<-EOF
		table bridge lab {
			chain forward { type filter hook forward priority 0; }
		}
		add rule bridge lab forward iifname "$1" oifname "$2" drop
		add rule bridge lab forward iifname "$2" oifname "$1" drop
	EOF
}

# lab heal: every partition ends and every cable is back.
cmd_heal() {
	local n
	[ -e "/run/netns/$TAG" ] || return 0
	in_lab_net nft delete table bridge lab 2>/dev/null || true
	for n in "${NODES[@]}"; do
		[ ! -e "$(node_dir "$n")/unplugged" ] || cmd_link "$n" up
	done
}

# service_start NAME COMMAND...: a server in the lab's network; one of a name.
# It is in the lab's own process group, so that `down' finds it.
service_start() {
	local name=$1
	shift
	(
		exec {LOCK_FD}>&-
		cg_join aux
		exec setsid nsenter --net="/run/netns/$TAG" -- flock -n -o "$STATE/$name.lock" "$@" \
			</dev/null >>"$STATE/$name.log" 2>&1
	) &
}

# What a node with an HTTP seed needs before it has its seed: an address.
http_up() {
	local n
	mkdir -p "$STATE/http"
	{
		printf 'start %s.200\nend %s.200\ninterface br0\nlease_file %s/dhcp.leases\npidfile %s/dhcp.pid\n' \
			"${GATEWAY%.*}" "${GATEWAY%.*}" "$STATE" "$STATE"
		printf 'opt router %s\nopt subnet 255.255.255.0\n' "$GATEWAY"
		for n in "${NODES[@]}"; do printf 'static_lease %s %s\n' "${NODE_MAC[$n]}" "${NODE_ADDRESS[$n]}"; done
	} >"$STATE/dhcp.conf"
	touch "$STATE/dhcp.leases"
	service_start httpd busybox httpd -f -p "$GATEWAY:$HTTP_PORT" -h "$STATE/http"
	service_start dhcpd busybox udhcpd -f "$STATE/dhcp.conf"
}
