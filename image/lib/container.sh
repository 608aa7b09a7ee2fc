# shellcheck shell=bash
# The container images: phoenix (jobs), phoenix-postgres, phoenix-pooler. Who sources
# this has lib/root.sh and lib/tools.sh, `say', `die', REPO and CACHE; to make them, also
# VERSION and EPOCH. The recipe is image/containers/make; here it is given its places.

# containers_make DISTRIBUTION SUITE PRODUCT OUT: of the distribution's packages and of
# what product_make and fence_make have installed in PRODUCT. OUT is replaced when all is
# made: oci/ (layout of all three), NAME.tar and NAME.packages of each, one
# threephoenix-VERSION-SUM.tar of all three with the layers they share once, SHA256SUMS.
containers_make() {
	local distribution=$1 suite=$2 product=$3 out=$4 tmp=$4.tmp version=${VERSION:?} postgresql file lock
	postgresql=$(containers_postgresql "$distribution" "$suite")
	for file in stage/usr/bin/phoenix "fence/usr/lib/postgresql/$postgresql/lib/phoenix_fence.so"; do
		[ -f "$product/$file" ] || die "no $product/$file: the product is to be installed there first"
	done
	tools_ensure
	mkdir -p "${out%/*}"
	# Who was killed may have left a child that still writes there; it holds the lock.
	exec {lock}>"$out.lock"
	flock "$lock"
	rm -rf "$tmp"
	mkdir -p "$tmp/out" "$tmp/build"
	tools_run "$tmp/root" "$REPO/image/containers:/recipe" "$product/stage:/stage" "$product/fence:/fence" \
		"$tmp/out:/out" "$tmp/build:/build" -- env \
		DISTRIBUTION="$distribution" SUITE="$suite" MIRROR="$(mirror_find "$distribution")" POSTGRESQL="$postgresql" \
		VERSION="$version" REVISION="$(source_revision)" SOURCE="${PHOENIX_SOURCE_URL:-}" \
		SOURCE_DATE_EPOCH="$EPOCH" /recipe/make || { rm -rf "$tmp"; die "no container images: see above"; }
	rm -rf "$out"
	mv -T "$tmp/out" "$out"
	rm -rf "$tmp"
	exec {lock}>&-
}

# containers_ship OUT ROOT: puts the archive of all three where first boot looks for it (firstboot/step_images.c). With
# its time, of whole seconds: K3s notes no more of it, and would take one with a fraction for newer at each start.
containers_ship() {
	mkdir -p "$2/usr/share/threephoenix/images"
	install -p -m 644 "$1"/threephoenix-*.tar "$2/usr/share/threephoenix/images/"
}

containers_postgresql() { # DISTRIBUTION SUITE
	local file=$REPO/image/containers/suites version
	version=$(awk -v d="$1" -v s="$2" '$1 == d && $2 == s {print $3}' "$file")
	[ -n "$version" ] || die "no line for $1 $2 in $file; there are: $(awk '!/^#/ && NF {print $1, $2}' "$file" | paste -sd ,)"
	printf '%s\n' "$version"
}

# The commit that is built, of a clone (of whoever's); a source archive has none.
source_git() { git -c safe.directory="$REPO" -C "$REPO" "$@" 2>/dev/null; }
source_revision() {
	local commit=${PHOENIX_REVISION:-}
	[ -z "$commit" ] || { printf '%s\n' "$commit"; return 0; }
	commit=$(source_git rev-parse HEAD) || return 0
	source_git diff --quiet HEAD || commit+=-changed
	printf '%s\n' "$commit"
}
