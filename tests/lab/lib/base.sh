# shellcheck shell=bash
# What every node stands on: the root file system with a node's packages, and the
# compiled product. (What goes on top of both: layer.sh.)
# shellcheck source=image/lib/root.sh
. "$LAB_HOME/../../image/lib/root.sh"
# shellcheck source=image/lib/product.sh
. "$LAB_HOME/../../image/lib/product.sh"
# shellcheck source=image/lib/container.sh
. "$LAB_HOME/../../image/lib/container.sh"

BASE_DISTRIBUTION=debian BASE_SUITE=trixie
BASE_RECIPE=1	# raise when base_make changes what it makes

# command:package of everything the lab runs on the host
HOST_TOOLS=(
	systemd-nspawn:systemd-container mmdebstrap:mmdebstrap ip:iproute2 nft:nftables
	losetup:mount nsenter:util-linux flock:util-linux jq:jq curl:curl mkfs.vfat:dosfstools
	mcopy:mtools mkfs.ext4:e2fsprogs pgrep:procps busybox:busybox-static
	zstd:zstd sfdisk:fdisk
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

base_key() { packages_read "$REPO/image/packages" "$LAB_HOME/packages" | key_of "$BASE_SUITE" "$BASE_RECIPE"; }

base_make() {
	local packages
	mapfile -t packages < <(packages_read "$REPO/image/packages" "$LAB_HOME/packages")
	say "making the nodes' root file system in $CACHE (once, about a minute and a half)"
	root_make "$BASE_DISTRIBUTION" "$BASE_SUITE" "$1" "$BASE.log" "${packages[@]}" || return
	ln -sf ../run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"
}

# The disk image that this checkout has made, if it has.
disk_image() { printf '%s\n' "$REPO/build/image/$BASE_DISTRIBUTION-$BASE_SUITE"/*.raw.zst; }

# PHOENIX_LAB_IMAGE=FILE: what is shipped instead, the root of a disk image that
# `make image' has made.
base_ensure() {
	if [ -n "${PHOENIX_LAB_IMAGE:-}" ]; then
		BASE=$CACHE/base-image-$(sha256sum <"$PHOENIX_LAB_IMAGE" | cut -c1-12)
		cache_make "${BASE##*/}" base_of_image
	else
		BASE=$CACHE/base-$(base_key)
		cache_make "${BASE##*/}" base_make
	fi
}

# A mount namespace of its own: nothing stays mounted even when it is killed.
base_of_image() {
	local start
	say "unpacking the root of $PHOENIX_LAB_IMAGE"
	zstd -q -d --sparse "$PHOENIX_LAB_IMAGE" -o "$1.raw" || return
	start=$(sfdisk -d "$1.raw" | sed -n 's/.*start= *\([0-9]*\),.*name="phoenix-root".*/\1/p')
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount sh -ec 'mount -o "ro,loop,offset=$1" "$2.raw" /mnt; cp -a /mnt/. "$2"' sh "$((start * 512))" "$1" || return
	rm "$1.raw"
}

# Compiles the source tree for the node's distribution. Nodes have copies of the
# stage (layer_make), so it may be replaced at once.
# PHOENIX_LAB_REMOVE=RULE builds it without one rule of firstboot/rules.h.
product_build() {
	local remove=${PHOENIX_LAB_REMOVE:-} flags=
	[ -f "$REPO/Makefile" ] || { say "no Makefile yet: the nodes boot without the product"; return 0; }
	[ -z "$remove" ] || flags="-DDECIDE_MUTANTS -DDECIDE_REMOVED=$remove"
	compiler_ensure "$BASE_DISTRIBUTION" "$BASE_SUITE"
	product_make "$LABS/product$remove" "$flags"
	pause_make
	rm -rf "$LABS/stage"
	mv -T "$LABS/product$remove/stage" "$LABS/stage"
}
