# shellcheck shell=bash
# Seeds: where they come from, and how a node is given one. A node's seed is
# kept apart from its root and put in again with every new root, as flashing
# writes the seed medium again.

seed_as() { cat "$(node_dir "$1")/seed/as" 2>/dev/null || echo none; }

# lab seed NODE FOLDER|IMAGE [--as folder|cidata|http|none]
cmd_seed() {
	local node=${1:-} from='' as=''
	node_check "$node"
	shift
	while [ $# -gt 0 ]; do
		case $1 in
		--as) [ $# -ge 2 ] || usage_error "--as folder|cidata|http|none"; as=$2; shift ;;
		-*) usage_error "seed: no option \`$1'" ;;
		*) [ -z "$from" ] || usage_error "seed NODE FOLDER [--as ...]"; from=$1 ;;
		esac
		shift
	done
	off_check "$node"
	base_ensure
	seed_set "$node" "$from" "${as:-${PHOENIX_LAB_SEED_AS:-}}"
	seed_insert "$node"
}

# seed_set NODE FOLDER|IMAGE|'' AS: keeps the seed in the state folder.
seed_set() {
	local node=$1 from=$2 as=$3 dir
	dir=$(node_dir "$node")/seed
	[ -n "$as" ] || { if [ -f "$from" ]; then as=cidata; else as=folder; fi; }
	case $as in
	none) ;;
	folder | http) [ -f "$from/meta-data" ] || die "$from is no seed folder: it has no meta-data" ;;
	cidata) [ -f "$from" ] || [ -f "$from/meta-data" ] || die "$from is neither an image nor a seed folder" ;;
	*) usage_error "--as $as: folder, cidata, http or none" ;;
	esac
	loop_detach "$dir/medium.img"
	rm -rf "$dir" "$STATE/http/$node"
	mkdir -p "$dir"
	echo "$as" >"$dir/as"
	case $as in
	folder | http) cp -r "$from" "$dir/folder" ;;
	cidata) seed_image "$from" "$node" "$dir/pristine.img" ;;
	esac
}

# seed_image FROM NODE TO: the image itself, the one `phoenix seed' wrote beside
# the folder, or one made of the folder.
seed_image() {
	local from=${1%/}
	if [ -f "$from" ]; then
		cp "$from" "$3"
	elif [ -f "$from/../$2.img" ]; then
		cp "$from/../$2.img" "$3"
	else
		truncate -s 4M "$3"
		mkfs.vfat -n CIDATA "$3" >/dev/null
		mcopy -i "$3" -s "$from"/* ::/
	fi
}

# seed_insert NODE: puts the kept seed where the node will look.
seed_insert() {
	local node=$1 dir seed
	dir=$(node_dir "$node")
	seed=$dir/upper/var/lib/cloud/seed/nocloud
	rm -rf "$seed"
	case $(seed_as "$node") in
	folder)
		mkdir -p "${seed%/*}"
		cp -r "$dir/seed/folder" "$seed"
		;;
	cidata) cp "$dir/seed/pristine.img" "$dir/seed/medium.img" ;;
	http)
		http_up
		mkdir -p "$STATE/http"
		rm -rf "$STATE/http/$node"
		cp -r "$dir/seed/folder" "$STATE/http/$node"
		;;
	esac
}

# The kernel command line of a node with an HTTP seed. A container has no own
# /proc/cmdline; cloud-init and systemd read /proc/1/cmdline there.
seed_arguments() {
	local url=http://$GATEWAY:$HTTP_PORT/$1 own
	[ "$(seed_as "$1")" = http ] || return 0
	own=$(node_dir "$1")/seed/folder/phoenix-seed.yaml
	printf '%s\n' "ds=nocloud;s=$url/"
	[ ! -f "$own" ] || printf '%s\n' "phoenix.seed=$url/phoenix-seed.yaml" \
		"phoenix.seed-sha256=$(sha256sum <"$own" | cut -d' ' -f1)"
}

# seeds_make OUT: a folder per node in OUT: the caller's ($PHOENIX_LAB_SEEDS),
# else those the product writes for the example, else the lab's own.
seeds_make() {
	rm -rf "$1"
	mkdir -p "$1"
	if [ -n "${PHOENIX_LAB_SEEDS:-}" ]; then
		[ -d "$PHOENIX_LAB_SEEDS/${NODES[0]}" ] ||
			die "PHOENIX_LAB_SEEDS=$PHOENIX_LAB_SEEDS has no folder ${NODES[0]}"
		cp -r "$PHOENIX_LAB_SEEDS/." "$1/"
	elif [ "${BARE:-0}" = 0 ] && [ -x "$STAGE/usr/bin/phoenix" ]; then
		seeds_product "$1"
	else
		seeds_bare "$1"
	fi
}

# The compiled program runs in the root it was built in, as on a workstation; that
# of a disk image in its own. It works on a copy of the description: `init' adds the secrets.
seeds_product() {
	local out=$1 cluster=$STATE/cluster tmp=$STATE/tmp root
	if [ ! -d "$cluster" ]; then
		mkdir -p "$cluster"
		cp -r "${PHOENIX_LAB_CLUSTER:-$REPO/cloud-init/examples/three-nodes}/." "$cluster/"
	fi
	rm -rf "$tmp" "$out.new"
	mkdir -p "$out.new"
	if [ -n "${PHOENIX_LAB_IMAGE:-}" ]; then
		base_ensure
		root=$BASE
	else
		compiler_ensure "$BASE_DISTRIBUTION" "$BASE_SUITE"
		root=$(layer_make):$COMPILER
	fi
	root_run "$tmp" "$root" "$cluster:/cluster" "$out.new:/out" -- sh -ec '
		[ -e /cluster/secrets.yaml ] || phoenix init --secrets /cluster
		phoenix seed /cluster -o /out/seeds' || die "the product writes no seeds: see the lines above"
	rm -rf "$tmp" "$out"
	mv -T "$out.new/seeds" "$out"
	rm -rf "$out.new"
}

# The least a node needs: a name and an address.
seeds_bare() {
	local n dir
	for n in "${NODES[@]}"; do
		dir=$1/$n
		mkdir -p "$dir"
		printf 'instance-id: %s-1\nlocal-hostname: %s\n' "$n" "$n" >"$dir/meta-data"
		printf '#cloud-config\nhostname: %s\nmanage_etc_hosts: false\n' "$n" >"$dir/user-data"
		cat >"$dir/network-config" <<-EOF
			version: 2
			ethernets:
			  uplink:
			    match: { macaddress: "${NODE_MAC[$n]}" }
			    addresses: [ ${NODE_ADDRESS[$n]}/$PREFIX ]
			    routes: [ { to: 0.0.0.0/0, via: $GATEWAY } ]
			    nameservers: { addresses: [ $GATEWAY ] }
		EOF
	done
}
