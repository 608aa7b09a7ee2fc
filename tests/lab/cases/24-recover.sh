# shellcheck shell=bash
# Two of three are lost. recover asks a person only for what no rule can know, and
# waits as long as one of the others is neither retired nor declared destroyed.
# needs: product k3s
# list: full
# limit: 1500

k3s_stands() { ! k3s_runs "$A"; }
alone() { [ "$(voters_of "$A" "$A")" = "$A" ] && api_writes "$A"; }

# Both are only cut off: the word alone must not be enough.
waits() {
	must "recover" word "$A" recover --keep "$A"
	within 60 "it says what it waits for" tells "$A" "$B does not answer" "$C does not answer" \
		"phoenix recover --keep $A --destroyed"
	stays 15 "nothing is reset" k3s_stands
	must_not "a node that answers with data is declared destroyed" word "$B" recover --keep "$B" --destroyed "$A"
	must_not "a node keeps another" word "$A" recover --keep "$B"
	must_not "the wrong name" on "$A" phoenix recover --keep "$A" --confirm other
}

# C is declared destroyed, B comes back with its data and is retired.
one_retires() {
	must "recover" word "$A" recover --keep "$A" --destroyed "$C"
	within 60 "$B is still missing" tells "$A" "$B does not answer"
	stays 10 "nothing is reset" k3s_stands
	lab boot "$B"
	within "$JOIN_LIMIT" "$A is back" api_writes "$A"
	within "$JOIN_LIMIT" "$B joins by itself" voters_are "$B" "$A" "$B"
	must_be "databases kept aside on $B" "$(aside "$B")" 1
	lab wipe "$C"
	lab boot "$C"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$1"
}

# The disk that was said to be destroyed comes back after all.
comes_back() {
	local generation=$1
	lab cut "$C"
	lab disk "$C" restore lost
	lab boot "$C"
	within 60 "$C stops and names the word" tells "$C" "the others went on without it" "phoenix abandon"
	must_not "$C runs K3s" k3s_runs "$C"
	must_be "the others keep their generation" "$(mark "$A" generation)" "$generation"
	must "they answer" api_writes "$B"
	must "abandon" word "$C" abandon "$(mark "$A" id)"
	whole "$JOIN_LIMIT"
	must_be "databases kept aside on $C" "$(aside "$C")" 1
}

both_destroyed() {
	local start=$SECONDS
	lab cut "$B" "$C"
	lab wipe "$B"
	lab wipe "$C"
	must "recover" word "$A" recover --keep "$A" --destroyed "$B" --destroyed "$C"
	within "$JOIN_LIMIT" "$A is back, alone" alone
	figure "from the loss of two to an API that writes: $((SECONDS - start)) s"
	lab boot "$B" "$C"
	whole "$FORM_LIMIT"
}

case_run() {
	local id generation
	step form
	formed
	id=$(mark "$A" id)
	must "an object to find again" on "$A" kubectl create configmap lab-kept
	step 'two are cut off'
	lab cut "$B" "$C"
	lab disk "$C" save lost
	within 60 "no API without quorum" no_api
	waits
	step 'one is destroyed, one retires'; one_retires "$id"
	generation=$(mark "$A" generation)
	must "the generation was raised" test "$generation" -gt 1
	step 'the destroyed one comes back'; comes_back "$generation"
	step 'both destroyed'; both_destroyed
	must_be "the cluster" "$(mark "$B" id)" "$id"
	must "the generation was raised again" test "$(mark "$B" generation)" -gt "$generation"
	must "the object" on "$C" kubectl get configmap lab-kept
	must_be "no word is left" "$(record "$A" 'words | tostring')" '{"missing":[],"abandoned":"","generation":0}'
}
no_api() { ! api_answers "$A"; }
