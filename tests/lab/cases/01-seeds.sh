# shellcheck shell=bash
# Each way to give a node its seed.
# needs:
# list: full
# limit: 400

case_run() {
	local n seeds=$STATE/seeds disk=/dev/disk/by-id/virtio-phoenix-seed
	lab prepare --bare
	echo 'cluster: secret' >"$seeds/phoenix-b/phoenix-seed.yaml"
	lab seed phoenix-a "$seeds/phoenix-a" --as cidata
	lab seed phoenix-b "$seeds/phoenix-b" --as http
	lab seed phoenix-c '' --as none
	lab boot "${NODES[@]}"
	for n in phoenix-a phoenix-b; do
		within 60 "$n has its seed applied" seeded "$n"
		must_be "name of $n" "$(on "$n" hostname)" "$n"
		must "$n has its address" on "$n" sh -c "ip -br -4 addr show dev lan0 | grep -qF ${NODE_ADDRESS[$n]}/24"
	done
	step 'no seed'
	within 120 "phoenix-c comes up" booted phoenix-c
	must_not "phoenix-c has a name" test "$(on phoenix-c hostname)" = phoenix-c
	step 'kernel command line'
	must_be "seed by its URL" "$(on phoenix-b sh -c '
		url=$(tr "\0" "\n" </proc/1/cmdline | sed -n "s/^phoenix.seed=//p")
		sum=$(tr "\0" "\n" </proc/1/cmdline | sed -n "s/^phoenix.seed-sha256=//p")
		curl -fsS -o /tmp/s "$url"; echo "$sum  /tmp/s" | sha256sum --check --quiet && cat /tmp/s')" 'cluster: secret'
	step 'seed medium'
	must "is found by its label" on phoenix-a sh -c 'test -b "$(blkid -L CIDATA)"'
	must "can be written" on phoenix-a sh -ec "mount $disk /mnt; test -s /mnt/meta-data
		rm /mnt/user-data; echo new >/mnt/added; umount /mnt"
	must "is written" on phoenix-a sh -ec "mount -o ro $disk /mnt; cat /mnt/added; test ! -e /mnt/user-data; umount /mnt"
	lab cut phoenix-a
	lab boot phoenix-a
	must "keeps what was written over a cut" on phoenix-a sh -ec "mount $disk /mnt; cat /mnt/added; umount /mnt"
	lab cut phoenix-a
	lab reroot phoenix-a
	lab boot phoenix-a
	must "is the old one after flashing" on phoenix-a sh -ec "mount $disk /mnt; test -s /mnt/user-data; umount /mnt"
}
