# shellcheck shell=bash
# Proposes newer versions. It knows where a project lists what it has released;
# what the files' checksums are, only somebody who fetches them can say.

declare -A PROPOSED=() # name -> line of the table

# update [--write] [NAME...]
cmd_update() {
	local write=0 name text failed=0
	[ "${1:-}" != --write ] || { write=1; shift; }
	case ${1:-} in -*) usage_error "update has no option $1" ;; esac
	lock_read "$LOCK"
	text=$(<"$LOCK")
	names_choose "$@"
	for name in "${CHOSEN[@]}"; do
		"${KIND[$name]}_newer" "$name" || failed=1
	done
	if [ "$write" = 1 ] && [ ${#PROPOSED[@]} -gt 0 ]; then update_write "$text" || failed=1; fi
	[ "$failed" = 0 ] || exit "$EXIT_FAILED"
}

# newest VERSION: of the versions on standard input the newest that is newer, or
# nothing. Only those of the same form count, numbers apart: that leaves out
# v2.0.0-rc1 and the 20260101 or 3-alpine among the tags of an image.
newest() {
	awk -v have="$1" 'function form(s) {
			gsub(/[0-9]+(\.[0-9]+)+/, "#.#", s); gsub(/[0-9]+/, "#", s); return s
		}
		form($0) == form(have)' |
		{ cat; printf '%s\n' "$1"; } | sort -V | tail -n 1 | grep -vxF -- "$1" || true
}

propose() { # NAME VERSION URL
	PROPOSED[$1]="${KIND[$1]} $1 $2 - $3"
	say "$1: ${VERSION[$1]} -> $2"
	say "  ${PROPOSED[$1]}"
}

newest_already() { say "$1: ${VERSION[$1]} is the newest"; } # NAME

# The releases of GitHub: the newest hundred, which go back for months.
file_newer() { # NAME
	local url=${URL[$1]//%2[Bb]/+} answer status=0
	if ! [[ $url =~ ^https://github\.com/([^/]+/[^/]+)/releases/download/([^/]+)/[^/]+$ ]]; then
		note "$1: no release at github.com: look for a newer version by hand: ${URL[$1]}"
		return
	fi
	need curl "$1" && need jq "$1" || return
	answer=$(mktemp) || return
	release_newer "$1" "$url" "${BASH_REMATCH[2]}" "$GITHUB/repos/${BASH_REMATCH[1]}/releases?per_page=100" "$answer" ||
		status=$?
	rm -f "$answer"
	return "$status"
}

release_newer() { # NAME URL TAG ASK ANSWER
	local tags tag url
	release_ask "$1" "$4" "$5" || return
	tags=$(jq -r '.[] | select((.draft or .prerelease) | not) | .tag_name' "$5" 2>/dev/null) ||
		{ fail "$1: $4: an answer that is no list of releases"; return; }
	tag=$(newest "$3" <<<"$tags")
	[ -n "$tag" ] || { newest_already "$1"; return; }
	# The version is the tag, with its v or without.
	url=${2//"${3#v}"/"${tag#v}"}
	jq -e --arg tag "$tag" --arg url "$url" 'any(.[]; .tag_name == $tag and
		any(.assets[]; (.browser_download_url | gsub("%2[Bb]"; "+")) == $url))' "$5" >/dev/null ||
		{ fail "$1: $tag is there, but without $url: look at it by hand"; return; }
	[ "${VERSION[$1]}" = "$3" ] || tag=${tag#v}
	propose "$1" "$tag" "${url//+/%2B}"
}

release_ask() { # NAME ASK ANSWER
	local reason
	reason=$(bounded curl --disable --silent --fail --location --globoff \
		--connect-timeout "$STALL" --speed-limit 1000 --speed-time "$STALL" --max-time 300 \
		--header 'Accept: application/vnd.github+json' --output "$3" --write-out '%{errormsg}' -- "$2") && return
	case $reason in
	*': 403' | *': 429') reason="$reason (without an account GitHub answers 60 questions an hour)" ;;
	esac
	fail "$1: cannot ask $2: $reason"
}

# The tags of an image.
image_newer() { # NAME
	local out tag status=0
	need skopeo "$1" && need jq "$1" || return
	out=$(mktemp) || return
	skopeo_run "$out" list-tags "docker://${URL[$1]}" || status=$?
	tag=$(jq -r '.Tags[]' "$out" 2>/dev/null | newest "${VERSION[$1]}")
	rm -f "$out"
	[ "$status" = 0 ] || { fail "$1: cannot ask ${URL[$1]}: $SAID"; return; }
	if [ -n "$tag" ]; then propose "$1" "$tag" "${URL[$1]}"; else newest_already "$1"; fi
}

# update_write TEXT: puts the lines into the file, which is replaced as a whole,
# unless somebody else has changed it since.
update_write() {
	local tmp
	[ "$(<"$LOCK")" = "$1" ] || { fail "$LOCK was changed meanwhile: nothing written"; return; }
	tmp=$(mktemp "$LOCK.XXXXXX") || { fail "cannot write beside $LOCK: nothing written"; return; }
	if ! { update_text "$1" >"$tmp" && chmod --reference="$LOCK" "$tmp" && mv -T "$tmp" "$LOCK"; }; then
		rm -f "$tmp"
		fail "cannot write $LOCK: nothing written"
		return
	fi
	say "written: $LOCK: fetch the new files, compare and write their checksums"
}

update_text() { # TEXT
	local name line number=0
	local -A lines=()
	for name in "${!PROPOSED[@]}"; do lines[${AT[$name]##*:}]=${PROPOSED[$name]}; done
	while IFS= read -r line; do
		number=$((number + 1))
		printf '%s\n' "${lines[$number]:-$line}" || return
	done <<<"$1"
}
