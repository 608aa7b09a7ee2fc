# shellcheck shell=bash
# What the lab promises every other case, without the product.
# needs:
# list: short
# limit: 600

A=phoenix-a B=phoenix-b C=phoenix-c

# Everything on this machine that carries the lab's name or its state folder.
traces() {
	local tag=phoenix-lab-$1
	ip netns list | grep -w "$tag" || true
	grep -E "$tag|$LABS/$1/" /proc/mounts || true
	losetup --noheadings --raw --output NAME,BACK-FILE | grep -F "$LABS/$1/" || true
	find /sys/fs/cgroup -type d -path "*/$tag*" 2>/dev/null
	pgrep -fa "systemd-nspawn.*$tag-|$LABS/$1/" || true
	ls -d "$LABS/$1" "$CLAIMS/$1" "$CLAIMS/$1.lock" 2>/dev/null || true
}

check_boot() {
	local n
	for n in "${NODES[@]}"; do
		within 60 "$n reaches multi-user" booted "$n"
		within 60 "$n has its seed applied" seeded "$n"
		must_be "name of $n" "$(on "$n" hostname)" "$n"
		must "$n has its address" on "$n" sh -c "ip -br -4 addr show dev lan0 | grep -qF '${NODE_ADDRESS[$n]}/24'"
		must_be "MAC of $n" "$(on "$n" cat /sys/class/net/lan0/address)" "${NODE_MAC[$n]}"
		within 60 "nothing failed in $n" on "$n" sh -c 'test "$(systemctl is-system-running)" = running'
		must "$n reaches the gateway" on "$n" ping -q -c 1 -W 1 "$GATEWAY"
		# bit 25: a node that may set the clock sets the one of this machine
		must "$n may not set the clock" on "$n" bash -c \
			'for p in 1 self; do c=$(awk "/CapBnd/{print \$2}" /proc/$p/status); (((0x$c >> 25 & 1) == 0)) || exit 1; done'
	done
	must_be "two nodes have different machine ids" \
		"$(for n in "${NODES[@]}"; do on "$n" cat /etc/machine-id; done | sort -u | wc -l)" 3
}

check_exec() {
	local status=0
	on "$A" sh -c 'exit 7' || status=$?
	must_be "exit status passes" "$status" 7
	must_be "input passes" "$(echo hello | on "$A" cat)" hello
	status=0
	lab nonsense || status=$?
	must_be "an unknown command is a usage error" "$status" 2
	status=0
	lab exec phoenix-x -- true || status=$?
	must_be "an unknown node is a usage error" "$status" 2
	must_not "wiping a node that is on" lab wipe "$A"
}

# The data disk: empty, can be formatted and mounted, and carries an overlay.
check_disk() {
	local disk=/dev/disk/by-id/virtio-phoenix-data
	must_not "the new disk has no signature" on "$A" blkid -p "$disk"
	must "formats, mounts, overlays" on "$A" sh -ec "
		mkfs.ext4 -q -L phoenix-data $disk; mkdir -p /var/lib/phoenix; mount $disk /var/lib/phoenix
		cd /var/lib/phoenix; mkdir l u w m; mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m
		echo kept >m/file; test -s u/file; echo root >/var/lib/root-file"
	must "found by its label" on "$A" sh -c "test -b \"\$(blkid -L phoenix-data)\""
}
disk_kept() { on "$A" sh -ec 'mkdir -p /mnt/d; mount LABEL=phoenix-data /mnt/d; cat /mnt/d/u/file; umount /mnt/d'; }

check_power() {
	local id
	id=$(boot_id "$B")
	on "$B" systemctl reboot || true
	rebooted() { [ "$(boot_id "$B" 2>/dev/null || echo "$id")" != "$id" ] && booted "$B"; }
	within 60 "$B reboots" rebooted
	lab cut "$A"
	must_not "$A answers after the cut" on "$A" true
	must_not "$A is on the network after the cut" reaches "$C" "$A"
	lab boot "$A"
	must_be "data disk after a cut" "$(disk_kept)" kept
	must "root after a cut" on "$A" test -e /var/lib/root-file
	on "$C" systemctl poweroff || true
	off() { lab status | grep -q "^$C.* off "; }
	within 60 "$C powers off" off
	lab boot "$C"
}

check_flash() {
	lab cut "$A"
	lab disk "$A" save before
	lab reroot "$A"
	lab boot "$A"
	must_be "data disk after a new root" "$(disk_kept)" kept
	must_not "root after a new root" on "$A" test -e /var/lib/root-file
	lab cut "$A"
	lab wipe "$A"
	lab boot "$A"
	must_not "data disk after a wipe" on "$A" blkid -p /dev/disk/by-id/virtio-phoenix-data
	lab cut "$A"
	lab disk "$A" restore before
	lab boot "$A"
	must_be "restored disk" "$(disk_kept)" kept
}

check_net() {
	lab partition "$A" "$B"
	must_not "$A reaches $B through a partition" reaches "$A" "$B"
	must_not "$B reaches $A through a partition" reaches "$B" "$A"
	must "$A reaches $C" reaches "$A" "$C"
	must "$B reaches $C" reaches "$B" "$C"
	lab heal
	within 10 "$A reaches $B again" reaches "$A" "$B"
	lab link "$C" down
	must_be "carrier" "$(on "$C" cat /sys/class/net/lan0/carrier)" 0
	must_not "$A reaches $C without link" reaches "$A" "$C"
	must "$A reaches $B" reaches "$A" "$B"
	lab link "$C" up
	within 20 "$A reaches $C again" reaches "$A" "$C"
}

# Two labs at once do not meet, though their nodes have the same names and
# addresses; and the end of one is not the end of the other.
check_two() {
	local other=${LAB}x
	PHOENIX_LAB=$other lab up --bare
	PHOENIX_LAB=$other on "$A" touch /other
	must_not "a file of the other lab" on "$A" test -e /other
	PHOENIX_LAB=$other lab cut "$B"
	must "$A reaches $B in this lab" reaches "$A" "$B"
	PHOENIX_LAB=$other lab down
	must_be "traces of the other lab" "$(traces "$other")" ''
	must "$A still answers" booted "$A"
}

# `down' after everything that could have cleaned up was killed.
check_died() {
	local other=${LAB}y up
	PHOENIX_LAB=$other setsid "$LAB_HOME/lab" up --bare &
	up=$!
	supervisors() { cat "$CG_ROOT/phoenix-lab-$other/aux/cgroup.procs" 2>/dev/null || true; }
	three_supervisors() { [ "$(supervisors | wc -l)" -ge 3 ]; }
	within 30 "the other lab starts" three_supervisors
	kill -KILL -- "-$up"
	supervisors | xargs -r kill -KILL 2>/dev/null || true
	must_not "no trace of a lab that died" test -z "$(traces "$other")"
	PHOENIX_LAB=$other lab down
	must_be "traces of a lab that died" "$(traces "$other")" ''
	PHOENIX_LAB=$other lab down
}

# Commands exclude each other also while `down' removes the lock that the others wait for.
check_lock() {
	local CLAIMS i jobs=()
	CLAIMS=$(mktemp -d)
	count() {
		local n
		lab_lock
		n=$(cat "$CLAIMS/n")
		sleep 0.03
		echo $((n + 1)) >"$CLAIMS/n"
		[ $(($1 % 3)) != 0 ] || rm -f "$CLAIMS/$LAB.lock"
	}
	echo 0 >"$CLAIMS/n"
	for ((i = 0; i < 40; i++)); do
		(count "$i") &
		jobs+=($!)
		sleep 0.01
	done
	wait "${jobs[@]}"
	must_be "commands that were counted" "$(cat "$CLAIMS/n")" 40
	rm -rf "$CLAIMS"
}

case_run() {
	step lock; check_lock
	step boot; lab up --bare
	check_boot
	must_not "a running lab has no traces" test -z "$(traces "$LAB")"
	step exec; check_exec
	step disk; check_disk
	step power; check_power
	step flash; check_flash
	step network; check_net
	step 'two labs'; check_two
	step 'a lab that died'; check_died
	step down; lab down
	must_be "traces" "$(traces "$LAB")" ''
	lab down
}
