# shellcheck shell=bash
# The root file systems: base (what a node has), builder (base and compiler),
# the compiled product, and the layer that goes on top of base in every node.

BASE_SUITE=trixie
BASE_RECIPE=1	# raise when base_make changes what it makes

# command:package of everything the lab runs on the host
HOST_TOOLS=(
	systemd-nspawn:systemd-container mmdebstrap:mmdebstrap ip:iproute2 nft:nftables
	losetup:mount nsenter:util-linux flock:util-linux jq:jq curl:curl mkfs.vfat:dosfstools
	mcopy:mtools mkfs.ext4:e2fsprogs pgrep:procps
)

host_packages() {
	local pair missing=()
	for pair in "${HOST_TOOLS[@]}"; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	[ ${#missing[@]} = 0 ] && return 0
	[ "$(id -u)" = 0 ] || die "packages missing on this machine: ${missing[*]}"
	say "installing ${missing[*]}"
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends "${missing[@]}"; } >/dev/null ||
		die "cannot install ${missing[*]}: see the lines above"
}

# The mirror the host itself uses; the lab names none of its own.
mirror_find() {
	local mirror
	mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
		awk '/^URIs:/ && $2 ~ /debian\/?$/ {print $2; exit}')
	[ -n "$mirror" ] || mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		awk '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ /^https?:.*debian\/?$/) {print $i; exit}}')
	[ -n "${PHOENIX_LAB_MIRROR:-$mirror}" ] ||
		die "no Debian mirror in /etc/apt: set PHOENIX_LAB_MIRROR to one"
	printf '%s\n' "${PHOENIX_LAB_MIRROR:-$mirror}"
}

base_key() {
	{ printf '%s %s\n' "$BASE_SUITE" "$BASE_RECIPE"
	  packages_read "$REPO/image/packages" "$LAB_HOME/packages"; } | sha256sum | cut -c1-12
}
builder_key() {
	{ base_key; packages_read "$LAB_HOME/builder-packages"; } | sha256sum | cut -c1-12
}

# cache_make NAME FUNCTION: makes $CACHE/NAME by FUNCTION TMPDIR once. What an
# interrupted run left is removed by the next one; a half-made root never gets
# the final name.
cache_make() {
	local name=$1 make=$2 tmp lock
	[ -d "$CACHE/$name" ] && return 0
	mkdir -p "$CACHE"
	exec {lock}>"$CACHE/lock"
	flock "$lock"
	if [ ! -d "$CACHE/$name" ]; then
		rm -rf "$CACHE"/*.tmp.*
		tmp=$CACHE/$name.tmp.$$
		mkdir -p "$tmp"
		"$make" "$tmp" || { rm -rf "$tmp"; die "could not make $CACHE/$name: see $CACHE/$name.log"; }
		mv -T "$tmp" "$CACHE/$name"
	fi
	exec {lock}>&-
}

base_make() {
	local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	mirror=$(mirror_find) || return 1
	say "making the nodes' root file system in $CACHE (once, about a minute and a half)"
	# A mount namespace of its own: mounts end with it even when it is killed.
	unshare --mount mmdebstrap --mode=root --variant=minbase --keyring="$keyring" \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--include="$(packages_read "$REPO/image/packages" "$LAB_HOME/packages" | paste -sd,)" \
		"$BASE_SUITE" "$1" "deb $mirror $BASE_SUITE main" >"$CACHE/base-$(base_key).log" 2>&1 || return 1
	# Identities are made by each node, never shared through the image.
	rm -f "$1"/etc/ssh/ssh_host_* "$1/var/lib/dbus/machine-id" "$1/etc/hostname"
	: >"$1/etc/machine-id"
	ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
}

base_ensure() { BASE=$CACHE/base-$(base_key); cache_make "${BASE##*/}" base_make; }

# chroot_run LOWERDIRS UPPER WORK [DIR:MOUNTPOINT...] -- COMMAND...: runs a
# command in an overlay; all mounts vanish with the command.
chroot_run() {
	local lower=$1 upper=$2 work=$3 binds=()
	shift 3
	while [ "$1" != -- ]; do binds+=("$1"); shift; done
	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	LOWER=$lower UPPER=$upper WORK=$work BINDS="${binds[*]}" unshare --mount bash -euc '
		root=$(mktemp -d)
		trap "umount -R -l \"$root\"; rmdir \"$root\"" EXIT
		mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$root"
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		rm -f "$root/etc/resolv.conf"
		cat /etc/resolv.conf >"$root/etc/resolv.conf" || true
		for b in $BINDS; do
			mkdir -p "$root${b#*:}"
			mount --bind "${b%%:*}" "$root${b#*:}"
		done
		chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive "$@"' _ "$@"
}

builder_make() {
	local log packages
	log=$CACHE/builder-$(builder_key).log
	mapfile -t packages < <(packages_read "$LAB_HOME/builder-packages")
	say "adding the compiler (once, about half a minute)"
	mkdir -p "$1/upper" "$1/work"
	chroot_run "$BASE" "$1/upper" "$1/work" -- apt-get update -q >"$log" 2>&1 &&
		chroot_run "$BASE" "$1/upper" "$1/work" -- apt-get install -y -q --no-install-recommends \
			"${packages[@]}" >>"$log" 2>&1 || return 1
	rm -rf "$1/work" "$1/upper/var/lib/apt/lists" "$1/upper/var/cache/apt"
}

builder_ensure() { BUILDER=$CACHE/builder-$(builder_key); cache_make "${BUILDER##*/}" builder_make; }

# Compiles the source tree for the node's distribution and installs it into
# the stage. The tree is read-only for it: objects go to build/lab/product.
# PHOENIX_LAB_REMOVE=RULE builds it without one rule of firstboot/rules.h.
product_build() {
	local tmp=$LABS/product log=$LABS/product.log remove=${PHOENIX_LAB_REMOVE:-} flags=
	[ -f "$REPO/Makefile" ] || { say "no Makefile yet: the nodes boot without the product"; return 0; }
	base_ensure
	builder_ensure
	rm -rf "$tmp/upper" "$tmp/work" "$tmp/dest"
	[ -z "$remove" ] || flags="-DDECIDE_MUTANTS -DDECIDE_REMOVED=$remove"
	mkdir -p "$tmp/obj$remove" "$tmp/upper" "$tmp/work" "$tmp/dest"
	# shellcheck disable=SC2016 # expanded inside
	chroot_run "$BUILDER/upper:$BASE" "$tmp/upper" "$tmp/work" \
		"$REPO:/src" "$tmp/obj$remove:/obj" "$tmp/dest:/dest" -- \
		sh -c 'make -C /src -j"$(nproc)" all BUILD=/obj CFLAGS="$1" &&
			make -C /src install BUILD=/obj CFLAGS="$1" DESTDIR=/dest PREFIX=/usr' _ "$flags" \
		>"$log" 2>&1 || { grep -E 'error|Error|undefined' "$log" | tail -n 20 >&2; die "the product does not build for the nodes: $log"; }
	# Nodes have copies of the stage (layer_make), so it may be replaced at once.
	rm -rf "$LABS/stage"
	mv -T "$tmp/dest" "$LABS/stage"
	rm -rf "$tmp/upper" "$tmp/work"
}
