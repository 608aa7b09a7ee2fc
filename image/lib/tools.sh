# shellcheck shell=bash
# The programs that make images, of fixed versions, in a root file system of their
# own: whatever machine runs `make image' needs mmdebstrap only. Who sources this
# has lib/root.sh, `say', `die', REPO and CACHE.

TOOLS_DISTRIBUTION=debian TOOLS_SUITE=trixie
TOOLS_RECIPE=1 # raise when tools_make changes what it makes

tools_ensure() {
	TOOLS=$CACHE/tools-$(packages_read "$REPO/image/packages-tools" | key_of "$TOOLS_SUITE" "$TOOLS_RECIPE")
	cache_make "${TOOLS##*/}" tools_make
}

tools_make() {
	local packages
	mapfile -t packages < <(packages_read "$REPO/image/packages-tools")
	say "making the root file system with the tools in $CACHE (once, about a minute and a half)"
	root_make "$TOOLS_DISTRIBUTION" "$TOOLS_SUITE" "$1" "$TOOLS.log" "${packages[@]}" || return
}

# tools_run FOLDER [SOURCE:MOUNTPOINT...] -- COMMAND...: see root_run.
tools_run() {
	local folder=$1
	shift
	root_run "$folder" "$TOOLS" "$@"
}
