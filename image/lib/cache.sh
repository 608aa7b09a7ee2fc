# shellcheck shell=bash
# The folder of what is fetched or made once and used again: downloads, and the
# root file systems of the lab. One name for both.

cache_folder() {
	local folder=${PHOENIX_CACHE:-}
	if [ -n "$folder" ]; then :
	elif [ "$EUID" = 0 ]; then folder=/var/cache/threephoenix
	else folder=${XDG_CACHE_HOME:-$HOME/.cache}/threephoenix; fi
	case $folder in /*) ;; *) folder=$PWD/$folder ;; esac
	printf '%s\n' "$folder"
}
