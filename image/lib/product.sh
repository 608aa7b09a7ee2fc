# shellcheck shell=bash
# The program, compiled for the distribution of an image with that distribution's
# own libraries. Who sources this has lib/root.sh, `say', `die', REPO and CACHE.

PRODUCT_RECIPE=1 # raise when compiler_make changes what it makes

compiler_key() { packages_read "$REPO/image/packages-build" | key_of "$PRODUCT_RECIPE" "$1" "$2"; }

# compiler_ensure DISTRIBUTION SUITE: sets COMPILER, a root with what image/packages-build names.
compiler_ensure() {
	COMPILER_FOR=("$1" "$2")
	COMPILER=$CACHE/compiler-$1-$2-$(compiler_key "$1" "$2")
	cache_make "${COMPILER##*/}" compiler_make
}

compiler_make() {
	local packages
	mapfile -t packages < <(packages_read "$REPO/image/packages-build")
	say "making the root file system with the compiler in $CACHE (once, about a minute)"
	root_make "${COMPILER_FOR[@]}" "$1" "$COMPILER.log" "${packages[@]}"
}

# product_make FOLDER [CFLAGS]: compiles this tree with the compiler that
# compiler_ensure has set, and installs it into FOLDER/stage at once. The tree is
# read by it and not written: objects stay in FOLDER/obj.
product_make() {
	local folder=$1 flags=${2:-} tmp=$1/tmp
	rm -rf "$tmp" "$folder/dest"
	mkdir -p "$folder/obj" "$folder/dest"
	# shellcheck disable=SC2016 # expanded inside
	root_run "$tmp" "$COMPILER" "$REPO:/src" "$folder/obj:/obj" "$folder/dest:/dest" -- \
		sh -c 'make -C /src -j"$(nproc)" all BUILD=/obj CFLAGS="$1" &&
			make -C /src install BUILD=/obj CFLAGS="$1" DESTDIR=/dest PREFIX=/usr' _ "$flags" \
		>"$folder/log" 2>&1 || {
		grep -E 'error|Error|undefined' "$folder/log" | tail -n 20 >&2
		die "the product does not build for ${COMPILER_FOR[*]}: $folder/log"
	}
	rm -rf "$tmp" "$folder/stage"
	mv -T "$folder/dest" "$folder/stage"
}
