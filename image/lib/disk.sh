# shellcheck shell=bash
# The disk image, put together by mkosi after image/mkosi. Who sources this has
# lib/{root,tools,k3s}.sh, `say', `die', and what settings() of image/build sets.

# Besides image/packages: what a machine needs that a container does not.
DISK_PACKAGES=(initramfs-tools grub-pc-bin systemd-boot systemd-repart zstd)

# What K3s itself needs of a registry, in one archive of its release.
K3S_IMAGES=k3s-airgap-images-amd64.tar.zst

# The name of what is made; image/lib/papers.sh goes by it, too.
disk_name() { NAME=threephoenix-$VERSION-$DISTRIBUTION-$RELEASE-amd64; }

disk_kernel() {
	case $DISTRIBUTION in
	debian) echo linux-image-amd64 ;;
	ubuntu) echo linux-image-generic ;;
	esac
}

disk_packages() {
	packages_read "$REPO/image/packages"
	printf '%s\n' "${DISK_PACKAGES[@]}"
	disk_kernel
	k3s_packages
}

# Where packages come from while it is made; the image itself has the
# distribution's own addresses. Nothing is written when this machine has no mirror
# for the distribution: mkosi knows where it is.
disk_sources() { # FILE
	local mirror security
	mirror=$(mirror_find "$DISTRIBUTION")
	[ -n "$mirror" ] || return 0
	mkdir -p "${1%/*}"
	case $DISTRIBUTION in
	debian)
		disk_source "$mirror" "$RELEASE $RELEASE-updates" main debian
		security=$([ -n "${PHOENIX_MIRROR:-}" ] || mirror_find debian-security)
		[ -z "$security" ] || disk_source "$security" "$RELEASE-security" main debian
		;;
	ubuntu) disk_source "$mirror" "$RELEASE $RELEASE-updates $RELEASE-security" 'main universe' ubuntu ;;
	esac >"$1"
}
disk_source() { # ADDRESS SUITES COMPONENTS DISTRIBUTION
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: /usr/share/keyrings/%s-archive-keyring.gpg\n\n' "$@"
}

# What lies over the packages: the product, K3s, container images.
disk_tree() { # FOLDER
	rm -rf "$1"
	mkdir -p "$1"
	cp -a "$OUT/product/stage/." "$1/"
	k3s_install "$1"
	containers_ship "$OUT/containers" "$1"
	disk_airgap "$1"
}

# With AIRGAP=1 a node needs no registry: K3s's own images and those of
# image/assets.lock, or what is in the parts folder instead, lie in the image.
disk_airgap() { # FOLDER
	local to=$1/usr/share/threephoenix/images names name path
	[ "${AIRGAP:-0}" = 1 ] || return 0
	mkdir -p "$to"
	if [ -d "$PARTS/images" ]; then
		cp -L "$PARTS"/images/* "$to/"
		return
	fi
	names=$("$REPO/image/assets" names image) || die 'AIRGAP=1: image/assets.lock cannot be read: see above'
	for name in $K3S_IMAGES $names; do
		"$REPO/image/assets" fetch "$name" >&2 || die "AIRGAP=1: $name is not to be had: see above, or put the images into $PARTS/images"
		path=$("$REPO/image/assets" path "$name")
		cp "$path" "$to/"
	done
}

# From the same inputs the same bytes: names and numbers that mkosi, repart and
# mkfs would draw come from SEED.
disk_mkosi() { # FOLDER
	local options=() package seed
	seed=$(printf '%s' "$NAME" | sha256sum | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-4\3-8\4-\5/')
	while read -r package; do options+=(--package="$package"); done < <(disk_packages)
	[ ! -d "$1/sandbox" ] || options+=(--sandbox-tree=/scratch/sandbox)
	[ "$DISTRIBUTION" = debian ] || options+=(--repositories=universe)
	mkdir -p "$1/out" "$CACHE/packages-$DISTRIBUTION-$RELEASE"
	tools_run "$1/tools" "$REPO/image/mkosi:/recipe" "$REPO/image/rootfs:/rootfs" "$1:/scratch" \
		"$CACHE/packages-$DISTRIBUTION-$RELEASE:/packages" -- \
		mkosi -C /recipe --force --distribution="$DISTRIBUTION" --release="$RELEASE" --architecture=x86-64 \
		--extra-tree=/rootfs --extra-tree=/scratch/tree --image-version="$VERSION" \
		--output-directory=/scratch/out --workspace-directory=/var/tmp --package-cache-dir=/packages \
		--extra-search-path=/recipe/tools --source-date-epoch="$EPOCH" --seed="$seed" "${options[@]}" build
}

# What the boot loader gets is what `phoenix pxe' hands out over the network. An
# image of before stays until the new one is whole, and the image comes last: one
# that is there has its checksum beside it.
disk_make() {
	local tmp=$OUT/tmp
	disk_name
	rm -rf "$tmp"
	mkdir -p "$tmp"
	say "putting $NAME together (about four minutes; log: $OUT/disk.log)"
	disk_tree "$tmp/tree"
	disk_sources "$tmp/sandbox/etc/apt/sources.list.d/mkosi.sources"
	disk_mkosi "$tmp" >"$OUT/disk.log" 2>&1 || { tail -n 20 "$OUT/disk.log" >&2; die "mkosi failed: see $OUT/disk.log"; }
	say "compressing"
	tools_run "$tmp/tools" "$tmp/out:/out" -- zstd -q -T0 -12 --rm /out/threephoenix.raw -o "/out/$NAME.raw.zst"
	mv "$tmp/out/threephoenix.vmlinuz" "$tmp/out/$NAME.raw.zst.kernel"
	mv "$tmp/out/threephoenix.initrd" "$tmp/out/$NAME.raw.zst.initrd"
	papers_make "$tmp/out" "$tmp/out/threephoenix.manifest"
	rm -f "$OUT/threephoenix"*
	mv "$tmp/out/$NAME.raw.zst" "$tmp/"
	mv "$tmp/out/$NAME."* "$OUT/"
	mv "$tmp/$NAME.raw.zst" "$OUT/"
	rm -rf "$tmp"
}
