# shellcheck shell=bash
# A data disk without a free block: what cannot be written down is not promised,
# nothing forms, everybody says why, and it goes on when there is room again.
# needs: product k3s
# list: full
# limit: 600

FILL=/var/lib/phoenix/lab-fill

data_mounted() { on "$1" mountpoint -q /var/lib/phoenix; }

fill() {
	on "$1" sh -c 'fallocate -l "$(df --output=avail -B1 /var/lib/phoenix | tail -n 1)" "$1" 2>/dev/null
		while dd if=/dev/zero bs=4096 count=1000 status=none >>"$1.more" 2>/dev/null; do :; done; :' _ "$FILL"
}

blank_and_idle() {
	local n
	for n in "${NODES[@]}"; do ! k3s_runs "$n" || return 1; done
}

case_run() {
	lab prepare
	lab boot "$B" "$C"
	step 'full before anything is promised'
	within 60 "the data partition of $B" data_mounted "$B"
	fill "$B"
	lab boot "$A"
	within 90 "$B says why" tells "$B" "No space left on device"
	within 90 "$A waits for it" tells "$A" "waits for $B"
	stays 15 "nothing forms" blank_and_idle
	must "$B can be reached" booted "$B"
	step 'room again'
	on "$B" rm -f "$FILL" "$FILL.more"
	whole "$FORM_LIMIT"
}
