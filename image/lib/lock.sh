# shellcheck shell=bash
# shellcheck disable=SC2034 # set here, used in the other files
# Reads image/assets.lock: the table `kind name version checksum url'. Nothing
# else reads that file. Every mistake in it is told, then nothing is done
# (names_choose ends the run).

# What the table says, by name; AT is the line, for messages and for `update'.
declare -A KIND=() VERSION=() SUM=() URL=() AT=()
NAMES=()
MISTAKES=0

# lock_read FILE
lock_read() {
	local line number=0 shown
	shown=$(realpath --relative-base="$PWD" -- "$1")
	if [ ! -f "$1" ] || [ ! -r "$1" ]; then
		usage_error "$shown: no file that can be read; it is the table of all downloads"
	fi
	while IFS= read -r line || [ -n "$line" ]; do
		number=$((number + 1))
		lock_line "$shown:$number" "$line"
	done <"$1"
}

mistake() { # WHERE WHAT ALLOWED
	MISTAKES=$((MISTAKES + 1))
	printf '%s: %s; allowed: %s\n' "$1" "$2" "$3" >&2
}

lock_line() { # WHERE LINE
	local fields
	case $2 in *$'\r'*) mistake "$1" 'a carriage return' 'lines that end with a line feed'; return ;; esac
	read -ra fields <<<"$2"
	case ${fields[0]:-#} in \#*) return ;; esac
	if [ ${#fields[@]} != 5 ]; then
		mistake "$1" "${#fields[@]} words" 'five: kind name version checksum url'
		return
	fi
	check_name "$1" "${fields[1]}"
	case ${fields[0]} in
	file) check_file "$1" "${fields[@]:2}" ;;
	image) check_image "$1" "${fields[@]:2}" ;;
	*) mistake "$1" "kind \`${fields[0]}'" 'file, image' ;;
	esac
	lock_keep "$1" "${fields[@]}"
}

lock_keep() { # WHERE KIND NAME VERSION CHECKSUM URL
	NAMES+=("$3")
	KIND[$3]=$2 VERSION[$3]=$4 SUM[$3]=$5 URL[$3]=$6 AT[$3]=$1
}

# The name is the file's name in the cache, too.
check_name() { # WHERE NAME
	[[ $2 =~ ^[a-z0-9][a-z0-9._-]*$ ]] ||
		mistake "$1" "name \`$2'" 'a-z, 0-9, and after the first of these . _ -'
	[ -z "${AT[$2]:-}" ] || mistake "$1" "name \`$2' stands at ${AT[$2]} already" 'each name once'
}

check_file() { # WHERE VERSION CHECKSUM URL
	local plain=${4//%2[Bb]/+}
	[[ $2 =~ ^[A-Za-z0-9][A-Za-z0-9._+~-]*$ ]] ||
		mistake "$1" "version \`$2'" 'A-Z, a-z, 0-9, and after the first of these . _ + ~ -'
	[[ $3 =~ ^(-|[0-9a-f]{64})$ ]] ||
		mistake "$1" "checksum \`$3'" 'the 64 digits (0-9, a-f) of a SHA-256, or - when nobody has fetched the file'
	# No user and password: what stands here is public.
	[[ $4 =~ ^https?://[A-Za-z0-9.-]+(:[0-9]+)?/[!-~]*$ ]] ||
		mistake "$1" "url \`$4'" 'http:// or https://, a host, a path'
	# An entry of which only a half was brought up to date.
	[[ $plain == *"${2#v}"* ]] || mistake "$1" "url \`$4' without the version $2" 'an url that names its version'
}

check_image() { # WHERE VERSION DIGEST REFERENCE
	local label='[a-z0-9]+([._-]+[a-z0-9]+)*'
	[[ $2 =~ ^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$ ]] ||
		mistake "$1" "version \`$2'" 'a tag: A-Z, a-z, 0-9, _ and after the first of these . -'
	[[ $3 =~ ^(-|sha256:[0-9a-f]{64})$ ]] ||
		mistake "$1" "checksum \`$3'" 'sha256: and the 64 digits of the digest, or - when nobody has fetched the image'
	[[ $4 =~ ^([a-z0-9-]+(\.[a-z0-9-]+)+(:[0-9]+)?|[a-z0-9-]+:[0-9]+)(/$label)+$ ]] ||
		mistake "$1" "reference \`$4'" 'REGISTRY/PATH in lower case, without tag (that is the version) and digest'
}

# names_choose [NAME...]: sets CHOSEN, all entries when none is named; ends the
# run when there was a mistake in the table or in the names.
names_choose() {
	local name
	CHOSEN=("$@")
	[ $# -gt 0 ] || CHOSEN=("${NAMES[@]}")
	for name in "$@"; do
		[ -n "${AT[$name]:-}" ] || { note "no entry \`$name'; there are: ${NAMES[*]:-none}"; MISTAKES=1; }
	done
	[ "$MISTAKES" = 0 ] || exit "$EXIT_USAGE"
}
