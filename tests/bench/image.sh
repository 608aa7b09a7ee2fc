# shellcheck shell=bash
# The image's figures. They need the disk image of this tree (`make image DISTRIBUTION=debian`).

IMAGES=$REPO/build/image/debian-trixie

disk_image() { printf '%s\n' "$IMAGES"/*.raw.zst; }
JOB_IMAGE=$IMAGES/containers/phoenix.tar
job_lacks() { [ -f "$JOB_IMAGE" ] || echo 'the container images: make image DISTRIBUTION=debian'; }
image_lacks() {
	if [ "$(id -u)" != 0 ]; then echo root
	elif [ ! -f "$(disk_image)" ]; then echo 'the disk image: make image DISTRIBUTION=debian'; fi
}

# by_hand IMAGE DISK BYTES: what a careful person would type: the stream onto the disk, on the disk for sure, and read back.
by_hand() {
	zstd -dc "$1" | dd of="$2" bs=4M iflag=fullblock oflag=direct conv=fsync status=none
	dd if="$2" bs=4M iflag=direct,count_bytes count="$3" status=none | sha256sum >/dev/null
}

# Both onto the same loop device, in turn. Page caches are dropped before each.
bench_flash() {
	local dir image disk bytes i start mine hand ratios=() peaks=()
	dir=$(mktemp -d -p "${PHOENIX_BENCH_DIR:-$REPO/build}")
	image=$(disk_image)
	bytes=$(zstd -dc "$image" | wc -c)
	truncate -s 12G "$dir/disk"
	disk=$(losetup -f --show --direct-io=on "$dir/disk")
	# shellcheck disable=SC2064 # these, whatever comes
	trap "losetup -d $disk; rm -rf $dir" EXIT
	cp -r "$HERE/../../cloud-init/examples/three-nodes" "$dir/cluster"
	sed -i '/data:/d' "$dir/cluster/phoenix.yaml"
	"$PHOENIX" init --secrets "$dir/cluster" >/dev/null
	"$PHOENIX" seed "$dir/cluster" -o "$dir/seeds" >/dev/null
	for ((i = 0; i < ${PHOENIX_BENCH_FLASHES:-5}; i++)); do
		flash_drop
		start=$(now_ms)
		flash_once "$image" "$disk" "$dir"
		mine=$(($(now_ms) - start))
		peaks+=("$(jq -n "$(cat "$dir/peak") / 1024 * 10 | round / 10")")
		flash_drop
		start=$(now_ms)
		by_hand "$image" "$disk" "$bytes"
		hand=$(($(now_ms) - start))
		ratios+=("$(jq -n "$mine / $hand * 1000 | round / 1000")")
		echo "flash: $mine ms, by hand: $hand ms" >&2
	done
	! wanted flash-overhead || figure flash-overhead ratio 'zstd -dc | dd oflag=direct conv=fsync, read back by sha256sum' "${ratios[@]}"
	! wanted flash-rss-mb || figure flash-rss-mb MiB - "${peaks[@]}"
}
flash_drop() { sync; echo 3 >/proc/sys/vm/drop_caches; }

# flash_once IMAGE DISK DIR: the most memory it had is in DIR/peak, in KiB.
flash_once() {
	# a loop device has no serial number, so its name is typed
	"$PHOENIX" flash --image "$1" --seed "$3/seeds/phoenix-a" --wipe "$2" >/dev/null 2>"$3/said" < <(echo "${2#/dev/}") &
	local pid=$! now peak=0
	while now=$(awk '/^VmHWM/ {print $2}' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
		peak=$now
		sleep 0.05
	done
	wait "$pid" || { cat "$3/said" >&2; return 1; }
	echo "$peak" >"$3/peak"
}

megabytes() { jq -n "$(stat -c %s "$1") / 100000 | round / 10"; }
bench_disk() { figure disk-image-mb MB 500 "$(megabytes "$(disk_image)")"; }
bench_job() { figure job-image-mb MB 15 "$(megabytes "$JOB_IMAGE")"; }

# The share of phoenix in an emulated first boot.
bench_boot() {
	local i values=()
	for ((i = 0; i < ${PHOENIX_BENCH_BOOTS:-3}; i++)); do
		values+=("$("$REPO/tests/image/boot.sh" "$PHOENIX" "$(disk_image)" own-seconds)")
	done
	figure image-boot-own-seconds s '-' "${values[@]}"
}
