# shellcheck shell=bash
# Root file systems made of a distribution's packages, kept in the cache: those of
# the lab, the one that compiles, the one with the tools that make the disk image.
# Who sources this has `say', `die' and CACHE.

# Package lists: comments and blank lines away, one a line.
packages_read() { sed -e 's/#.*//' -e 's/[[:space:]]//g' "$@" | grep -v '^$' | sort -u; }

# key_of WORD...: a short name for what they say, and for what standard input says.
key_of() { { printf '%s\n' "$@"; cat; } | sha256sum | cut -c1-12; }

# mirror_find DISTRIBUTION: PHOENIX_MIRROR (Debian's; the tools are always of Debian),
# PHOENIX_MIRROR_UBUNTU, or the mirror that this machine itself uses for it. Nothing
# when there is none: the tools know the distribution's own.
mirror_find() {
	local mirror given=
	case $1 in
	debian) given=${PHOENIX_MIRROR:-} ;;
	ubuntu) given=${PHOENIX_MIRROR_UBUNTU:-} ;;
	esac
	mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
		awk -v end="$1/?$" '/^URIs:/ && $2 ~ end {print $2; exit}')
	[ -n "$mirror" ] || mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		awk -v end="$1/?$" '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ "^https?:.*" end) {print $i; exit}}')
	printf '%s\n' "${given:-$mirror}"
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

# root_make DISTRIBUTION SUITE FOLDER LOG PACKAGE...: without recommendations and
# documents. Of +PACKAGE only the files, without what it depends on (PostgreSQL's
# headers bring two compilers). A mount namespace of its own: mounts end with it
# even when it is killed.
root_make() {
	local distribution=$1 suite=$2 root=$3 log=$4 mirror part=main package packages=() files=()
	shift 4
	for package; do
		case $package in
		+*) files+=("${package#+}") ;;
		*) packages+=("$package") ;;
		esac
	done
	mirror=$(mirror_find "$distribution")
	[ "$distribution" = debian ] || part='main universe'
	unshare --mount mmdebstrap --mode=root --variant=minbase --components="$part" \
		--keyring="/usr/share/keyrings/$distribution-archive-keyring.gpg" \
		--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--include="$(printf '%s\n' "${packages[@]}" | paste -sd,)" \
		${files[0]:+--customize-hook="chroot \"\$1\" sh -euc 'cd /tmp; apt-get download ${files[*]}; for f in *.deb; do dpkg-deb -x \$f /; rm \$f; done'"} \
		"$suite" "$root" ${mirror:+"deb $mirror $suite $part"} >"$log" 2>&1 || return
	# Identities are made by each node, never shared through what is made here.
	rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/etc/hostname"
	: >"$root/etc/machine-id"
}

# root_run FOLDER LOWERDIRS [SOURCE:MOUNTPOINT...] -- COMMAND...: runs a command in
# an overlay whose changes lie in FOLDER/upper; all mounts vanish with it. The root
# is a real one, not a chroot: what makes disk images wants user namespaces, which
# nobody gets in a chroot.
root_run() {
	local folder=$1 lower=$2 binds=()
	shift 2
	while [ "$1" != -- ]; do binds+=("$1"); shift; done
	shift
	mkdir -p "$folder/upper" "$folder/work" "$folder/root"
	# shellcheck disable=SC2016 # expanded by the inner shells
	LOWER=$lower FOLDER=$folder BINDS="${binds[*]}" unshare --mount bash -euc '
		root=$FOLDER/root
		mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$FOLDER/upper,workdir=$FOLDER/work" "$root"
		mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/oldroot"
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mount --rbind /dev "$root/dev"
		rm -f "$root/etc/resolv.conf"
		cat /etc/resolv.conf >"$root/etc/resolv.conf" || true
		for b in $BINDS; do
			mkdir -p "$root${b#*:}"
			mount --rbind "${b%%:*}" "$root${b#*:}"
		done
		cd "$root"
		pivot_root . oldroot
		exec chroot . sh -euc "umount -l /oldroot; exec \"\$@\"" sh env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"' _ "$@"
}
