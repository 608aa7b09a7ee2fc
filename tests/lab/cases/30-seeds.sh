# shellcheck shell=bash
# Every road of a seed ends in the same cluster: an URL on the kernel command
# line, cloud-init's write_files, a seed stick. A file with another checksum than
# the command line says is not used, and named.
# needs: product k3s
# list: full
# limit: 600

# The seed of $B as a user of some cloud would write it: all in user-data.
by_write_files() {
	local from=$STATE/seeds/$B to=$STATE/written
	mkdir -p "$to"
	cp "$from/meta-data" "$from/network-config" "$to/"
	{
		cat "$from/user-data"
		printf 'write_files:\n- path: /etc/phoenix/phoenix-seed.yaml\n  permissions: "0600"\n  encoding: b64\n  content: %s\n' \
			"$(base64 -w0 "$from/phoenix-seed.yaml")"
	} >"$to/user-data"
	must_not "user-data has write_files already" grep -q '^write_files' "$from/user-data"
}

case_run() {
	lab prepare
	by_write_files
	lab seed "$A" "$STATE/seeds/$A" --as http
	lab seed "$B" "$STATE/written" --as folder
	lab seed "$C" "$STATE/seeds/$C" --as cidata
	cp "$STATE/http/$A/phoenix-seed.yaml" "$STATE/right"
	echo '# not what the command line says' >>"$STATE/http/$A/phoenix-seed.yaml"
	lab boot "${NODES[@]}"
	within 90 "$A names the wrong checksum" tells "$A" "sha256" "http://"
	within 90 "$B waits" tells "$B" "$A"
	must "$A can be reached" on "$A" systemctl is-active --quiet multi-user.target
	step 'the right file'
	cp "$STATE/right" "$STATE/http/$A/phoenix-seed.yaml"
	whole "$FORM_LIMIT"
	must_not "the seed in /etc/phoenix stayed" on "$B" test -e /etc/phoenix/phoenix-seed.yaml
	must_not "the seed on the stick stayed" on "$C" sh -c \
		'mkdir -p /mnt/s; mount -o ro /dev/disk/by-id/virtio-phoenix-seed /mnt/s; test -e /mnt/s/phoenix-seed.yaml; r=$?; umount /mnt/s; exit $r'
}
