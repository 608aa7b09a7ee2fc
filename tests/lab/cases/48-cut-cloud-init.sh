# shellcheck shell=bash
# The power fails in the middle of cloud-init's first boot: before the network is
# written, before the administrators are. cloud-init marks what it begins as done
# and would never do it again; the next boot begins it anew.
# needs: product
# list: full
# limit: 420

# cut_when NODE FILE: off the moment that FILE (below cloud-init's instance) is there.
cut_when() {
	local end=$((SECONDS + 60)) root
	root=$(node_dir "$1")/upper/var/lib/cloud/instances
	lab boot --no-wait "$1"
	until compgen -G "$root/*/$2" >/dev/null; do
		[ "$SECONDS" -lt "$end" ] || fail "$1: cloud-init does not write $2 within 60 s"
		sleep 0.005
	done
	lab cut "$1"
	must_not "its first boot was over" compgen -G "$root/*/boot-finished"
}

has_administrator() { on "$1" sh -c 'id phoenix && sudo -l -U phoenix | grep -q NOPASSWD' >/dev/null 2>&1; }
has_address() { on "$1" ip -4 -o addr show to "${NODE_ADDRESS[$1]}/32" 2>/dev/null | grep -q .; }
# began_anew NODE: the service did run.
began_anew() { on "$1" systemctl show -P ActiveEnterTimestampMonotonic -P ExecMainStartTimestampMonotonic phoenix-cloud-init | grep -q '[1-9]'; }

# cleaned_half NODE: the power failed again while it began anew: its own memory of the
# instance is left, the instance is not.
cleaned_half() { rm -rf "$(node_dir "$1")/upper/var/lib/cloud/instance" "$(node_dir "$1")/upper/var/lib/cloud/instances"; }

comes_up() {
	lab boot "$1"
	within 60 "$1: cloud-init comes to its end" seeded "$1"
	must "$1 has its address" has_address "$1"
	must "$1 has its administrator" has_administrator "$1"
}

case_run() {
	local moment
	lab prepare
	# the instance's folder, its data source, the first mark of the network stage, that of the users
	for moment in obj.pkl sem sem/config_users_groups sem/config_ssh; do
		step "cut at $moment"
		cut_when "$A" "$moment"
		comes_up "$A"
		must "it began anew" began_anew "$A"
		lab cut "$A"
		lab boot "$A"
		within 60 "the boot after that" seeded "$A"
		must_not "it begins anew at every boot" began_anew "$A"
		lab cut "$A"
		lab wipe "$A"
	done
	step 'and cut again while it begins anew'
	cut_when "$A" sem/config_users_groups
	cleaned_half "$A"
	comes_up "$A"
	must "it began anew" began_anew "$A"
}
