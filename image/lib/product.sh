# shellcheck shell=bash
# The program, compiled for the distribution of an image with that distribution's
# own libraries, and the module that its PostgreSQL loads. Who sources this has lib/root.sh,
# lib/container.sh, `say', `die', REPO and CACHE.

PRODUCT_RECIPE=1 # raise when compiler_make changes what it makes

compiler_packages() { packages_read "$REPO/image/packages-build" | sed "s/@POSTGRESQL@/$1/"; } # POSTGRESQL

# compiler_ensure DISTRIBUTION SUITE: sets COMPILER, a root with what image/packages-build names.
compiler_ensure() {
	COMPILER_FOR=("$1" "$2")
	COMPILER_POSTGRESQL=$(containers_postgresql "$1" "$2")
	COMPILER=$CACHE/compiler-$1-$2-$(compiler_packages "$COMPILER_POSTGRESQL" | key_of "$PRODUCT_RECIPE" "$1" "$2")
	cache_make "${COMPILER##*/}" compiler_make
}

compiler_make() {
	local packages
	mapfile -t packages < <(compiler_packages "$COMPILER_POSTGRESQL")
	say "making the root file system with the compiler in $CACHE (once, about a minute)"
	root_make "${COMPILER_FOR[@]}" "$1" "$COMPILER.log" "${packages[@]}"
}

# product_make FOLDER [CFLAGS]: compiles this tree with the compiler that
# compiler_ensure has set, and installs it into FOLDER/stage at once. The tree is
# read by it and not written: objects stay in FOLDER/obj.
product_make() { compiled "$1" stage install "${2:-}"; }

# fence_make FOLDER [CFLAGS]: likewise into FOLDER/fence the module of databases, which
# no node has any use for.
fence_make() { compiled "$1" fence install-fence "${2:-}"; }

compiled() { # FOLDER NAME TARGET CFLAGS
	local folder=$1 name=$2 target=$3 flags=$4 tmp=$1/tmp
	rm -rf "$tmp" "$folder/dest"
	mkdir -p "$folder/obj" "$folder/dest"
	# shellcheck disable=SC2016 # expanded inside
	root_run "$tmp" "$COMPILER" "$REPO:/src" "$folder/obj:/obj" "$folder/dest:/dest" -- \
		sh -c 'make -C /src -j"$(nproc)" "$@" BUILD=/obj DESTDIR=/dest PREFIX=/usr' _ \
		"$target" CFLAGS="$flags" POSTGRESQL="$COMPILER_POSTGRESQL" >"$folder/$name.log" 2>&1 || {
		grep -E 'error|Error|undefined' "$folder/$name.log" | tail -n 20 >&2
		die "the product does not build for ${COMPILER_FOR[*]}: $folder/$name.log"
	}
	rm -rf "$tmp" "${folder:?}/$name"
	mv -T "$folder/dest" "$folder/$name"
}
