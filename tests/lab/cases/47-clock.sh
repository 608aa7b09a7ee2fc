# shellcheck shell=bash
# The clock of a re-flashed node is two days ahead and nobody corrects it: what
# it makes is refused by the cluster, it says which clock differs, and it joins
# as soon as the clock is right. (A container cannot set its clock: a library
# tells phoenix, and only phoenix, another time.)
# needs: product k3s
# list: full
# limit: 420

DROP_IN=etc/systemd/system/phoenix-firstboot.service.d/60-clock.conf

clock_wrong() {
	local root lib
	root=$(node_dir "$1")/upper
	lib=$(on "$A" sh -c 'ls /usr/lib/*/faketime/libfaketime.so.1')
	mkdir -p "$root/${DROP_IN%/*}"
	printf '[Service]\nEnvironment=LD_PRELOAD=%s FAKETIME=%s FAKETIME_DONT_FAKE_MONOTONIC=1\n' \
		"$lib" "$2" >"$root/$DROP_IN"
}

clock_right() {
	on "$1" sh -ec "rm /$DROP_IN; systemctl daemon-reload; systemctl restart --no-block phoenix-firstboot"
}

stays_out() { ! k3s_runs "$C"; }

case_run() {
	local id
	formed
	id=$(mark "$A" id)
	step 're-flash, with a clock that is wrong'
	lab cut "$C"
	lab wipe "$C"
	must "another time for $C" clock_wrong "$C" +2d
	lab boot "$C"
	within 90 "$C names the clock" tells "$C" "clock is 2 days ahead of that of $A"
	stays 10 "$C does not start K3s" stays_out
	step 'the clock is right'
	clock_right "$C"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$id"
}
