# shellcheck shell=bash
# Entries of kind `file': fetched with curl, continued where an earlier attempt
# ended. A part is nothing until its SHA-256 is the one of the table.

# Status of what is tried: failed; cannot be continued; whole, but something else.
FAILED=1 NOT_CONTINUED=3 OTHER_SUM=4

sum_of() { sha256sum <"$1" | cut -c1-64; }
size_of() { stat -c %s -- "$1" 2>/dev/null || echo 0; }

file_sound() { [ "$(sum_of "$2")" = "${SUM[$1]}" ]; } # NAME FILE

# file_fetch NAME PART: status 0, FAILED, or STOP. A part from an earlier time
# may be of a file that the server has replaced, or of a server that continues
# nothing: that says nothing about the file, so it gets one try from zero.
file_fetch() {
	local status=0
	need curl "$1" || return
	RESUMED=0
	file_attempt "$1" "$2" || status=$?
	if [ "$status" -gt "$FAILED" ] && [ "$RESUMED" = 1 ]; then
		note "$1: what was fetched before does not continue to the file of the table: from the beginning"
		rm -f "$2"
		status=0
		file_attempt "$1" "$2" || status=$?
	fi
	case $status in
	"$NOT_CONTINUED") fail "$1: ${URL[$1]}: breaks off, and is not continued by the server ($SAID)" ;;
	"$OTHER_SUM") file_other "$1" "$2" ;;
	*) return "$status" ;;
	esac
}

file_other() { # NAME PART: never kept, not even for comparison: a name like an asset's invites use
	local got
	got=$(sum_of "$2")
	rm -f "$2"
	note "$1: another file than expected, removed"
	note "  expected ${SUM[$1]}  (${AT[$1]})"
	note "  got      $got"
	note "  from     ${URL[$1]}"
	note "  to       $2"
	return "$STOP"
}

# A part that is whole already was left by a run that ended before placing it.
file_attempt() { # NAME PART
	[ -f "$2" ] && file_sound "$1" "$2" && return 0
	file_download "$1" "$2" || return
	file_sound "$1" "$2" || return "$OTHER_SUM"
}

# Tries until the server has delivered everything. Only tries that bring nothing
# are counted, and the time for all is bounded, so this ends with any server.
file_download() { # NAME PART
	local idle=0 before wait=$PAUSE
	while :; do
		before=$(size_of "$2")
		[ "$before" = 0 ] || RESUMED=1
		curl_run "${URL[$1]}" "$2"
		case $(curl_verdict) in
		done) return 0 ;;
		anew) return "$NOT_CONTINUED" ;;
		never) fail "$1: ${URL[$1]}: $SAID"; return ;;
		esac
		idle=$((idle + 1))
		[ "$(size_of "$2")" -le "$before" ] || idle=0 wait=$PAUSE
		[ "$SECONDS" -lt "$END" ] || { fail "$1: ${URL[$1]}: not done after $LIMIT s ($SAID)"; return; }
		[ "$idle" -lt "$TRIES" ] || { fail "$1: ${URL[$1]}: $SAID; tries in a row that brought nothing: $idle"; return; }
		note "$1: $SAID: again in $wait s, from byte $(size_of "$2")"
		sleep "$wait"
		wait=$((wait < 30 ? wait * 2 : 60))
	done
}

# Sets STATUS, HTTP and SAID. What curl says goes through a file: a command
# substitution would be a process between it and this one (see bounded).
curl_run() { # URL PART
	local show=(--silent)
	[ ! -t 2 ] || show=(--progress-bar)
	STATUS=0 HTTP='' SAID=''
	bounded curl --disable "${show[@]}" --fail --location --globoff \
		--connect-timeout "$STALL" --speed-limit 1000 --speed-time "$STALL" \
		--max-time "$((END > SECONDS ? END - SECONDS : 1))" \
		--continue-at - --output "$2" --write-out '%{http_code}\n%{errormsg}\n' -- "$1" >"$2.said" || STATUS=$?
	{ read -r HTTP; read -r SAID; } <"$2.said" || true
	rm -f "$2.said"
	case $STATUS in
	23) SAID="cannot write $2 (is the disk full?)" ;;
	153) SAID="larger than $MAX_MB MiB" ;; # SIGXFSZ
	*) SAID=${SAID:-curl ended with status $STATUS} ;;
	esac
}

# done, again (a later try may bring it), never, or anew (the server does not
# continue from there).
curl_verdict() {
	case $STATUS:$HTTP in
	*:416 | 33:* | 36:*) echo anew ;; # 33, 36: no range, bad one
	0:*) echo 'done' ;;
	22:408 | 22:429 | 22:5??) echo again ;;
	# no name, no connection, cut off, too slow, no TLS, no answer, broken
	5:* | 6:* | 7:* | 16:* | 18:* | 28:* | 35:* | 52:* | 55:* | 56:* | 92:*) echo again ;;
	*) echo never ;;
	esac
}
