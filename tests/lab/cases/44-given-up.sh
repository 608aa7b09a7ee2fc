# shellcheck shell=bash
# The one node that is left is given up as well. Its empty disk forms nothing by
# itself, although the others were declared destroyed: that was said so that its
# data could go on. A new word forms a cluster without them, and they come back blank.
# needs: product k3s
# list: full
# limit: 900

alone() { [ "$(voters_of "$C" "$C")" = "$C" ] && api_writes "$C"; }
idle() { ! k3s_runs "$C" && [ "$(state_of "$C" "$C")" = blank ]; }

case_run() {
	local id new
	step form
	formed
	id=$(mark "$A" id)
	step "$C is kept"
	lab cut "$A" "$B"
	must "recover" word "$C" recover --keep "$C" --destroyed "$A" --destroyed "$B"
	within "$JOIN_LIMIT" "$C is back, alone" alone
	step "$C is given up"
	must "abandon" word "$C" abandon "$id"
	within 60 "$C waits and names the word" tells "$C" "waits for $A: no answer" "phoenix form --with-missing $A"
	stays 15 "nothing forms" idle
	must_be "databases kept aside on $C" "$(aside "$C")" 1
	step "a new cluster without the others"
	must "form" word "$C" form --with-missing "$A" --with-missing "$B"
	within "$FORM_LIMIT" "$C is a cluster" alone
	lab wipe "$A"
	lab wipe "$B"
	lab boot "$A" "$B"
	new=$(whole "$FORM_LIMIT" "$C")
	must_not "it is the old cluster" test "$new" = "$id"
}
