# shellcheck shell=bash
# A seed with mistakes: the node stays up and can be reached; console, journal and
# `phoenix status' name file, line and mistake. A corrected seed that is put in its
# place is taken up without flashing the node, and a correction with a mistake of
# its own takes nothing away.
# needs: product
# list: full
# limit: 300

FILE=/var/lib/cloud/seed/nocloud/phoenix-seed.yaml

# put NODE <SEED: in the place where cloud-init left the first one, at once whole.
put() { on "$1" sh -ec 'mkdir -p "${1%/*}"; cat >"$1.new"; mv "$1.new" "$1"' _ "$FILE"; }

# line_of PATTERN: where it stands in the right seed of $A.
line_of() { grep -n -m 1 "$1" "$STATE/seeds/$A/phoenix-seed.yaml" | cut -d: -f1; }

# console_has TEXT, status_has TEXT...: what $A's screen and its command show.
console_has() { grep -qF -- "phoenix: $1" "$(node_dir "$A")/console.log"; }
status_has() {
	local said text
	said=$(on "$A" phoenix status 2>&1 || true)
	for text in "$@"; do [[ $said == *"$text"* ]] || return 1; done
}
# journal_once TEXT: one line of the daemon, and no other, contains it.
journal_once() {
	[ "$(on "$A" journalctl --no-pager -q -o cat -u phoenix-firstboot | grep -cF -- "$1")" = 1 ]
}

# named MISTAKE: whoever looks is told, once.
named() {
	within 60 "the console names \`$1'" console_has "seed: $1"
	within 20 "the journal names \`$1'" journal_once "seed: $1"
	stays 5 "the journal names \`$1' once" journal_once "seed: $1"
}

# A tab, where YAML wants spaces: the text ends there for the parser.
a_tab() {
	local line
	line=$(line_of '^wipe:')
	cp -r "$STATE/seeds/$A" "$STATE/bad"
	sed -i 's/^wipe:/\twipe:/' "$STATE/bad/phoenix-seed.yaml"
	lab seed "$A" "$STATE/bad" --as folder
	lab boot "$A"
	within 60 "$A says it" tells "$A" "failed" "$FILE:$line:1: a tab"
	named "$FILE:$line:1: a tab"
	must "status says it" status_has "$FILE:$line:1: a tab"
	within 90 "$A can be reached" booted "$A"
}

# Two mistakes, of which one alone used to be told.
two_mistakes() {
	local line
	line=$(line_of '^node:')
	sed -e '/^node:/a colour: red' -e 's/^node: .*/node: phoenix-x/' "$STATE/seeds/$A/phoenix-seed.yaml" >"$STATE/two"
	put "$A" <"$STATE/two"
	within 60 "$A says the first" tells "$A" "$FILE:$((line + 1)):1: colour: no such key" "and 1 more (journalctl"
	named "$FILE:$((line + 1)):1: colour: no such key"
	named "$FILE:$line:7: node: 'phoenix-x' is no node"
	must "status says the first, and that there is one more" status_has "colour: no such key" "and 1 more (journalctl"
	must_not "a seed with mistakes was imported" on "$A" test -e /etc/phoenix/imported/phoenix-seed.yaml
}

corrected() {
	put "$A" <"$STATE/seeds/$A/phoenix-seed.yaml"
	within 60 "$A goes on" tells "$A" "waits for $B"
	must "the right seed was imported" on "$A" test -e /etc/phoenix/imported/phoenix-seed.yaml
}

# In the words of a mistake that was not told yet.
bad_correction() {
	local line
	line=$(line_of '^wipe:')
	sed 's/^wipe:.*/wipe: maybe/' "$STATE/seeds/$A/phoenix-seed.yaml" >"$STATE/maybe"
	put "$A" <"$STATE/maybe"
	named "$FILE:$line:7: wipe: 'maybe'"
	must "$A goes on with what it has" tells "$A" "waits for $B"
}

case_run() {
	local id
	mkdir -p "$STATE.parts" # no K3s: it is not needed to read a seed
	PHOENIX_PARTS=$STATE.parts lab prepare
	rm -rf "$STATE.parts"
	step 'a tab'; a_tab
	id=$(boot_id "$A")
	step 'an unknown key and an unknown node'; two_mistakes
	step 'the corrected seed'; corrected
	step 'a correction with a mistake'; bad_correction
	must_be "the same boot" "$(boot_id "$A")" "$id"
	must_be "restarts of the daemon" "$(on "$A" systemctl show -P NRestarts phoenix-firstboot)" 0
}
