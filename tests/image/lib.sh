# shellcheck shell=bash
# What the tests of flash and network boot share: assertions, small images of our
# kind, seeds, a look at a disk.

PASSED=0 FAILED=0 SKIPPED=0

ok() { PASSED=$((PASSED + 1)); }
bad() { FAILED=$((FAILED + 1)); printf 'FAILED: %s\n' "$*" >&2; sed 's/^/    /' err >&2; }
is() { if [ "$2" = "$3" ]; then ok; else bad "$1: \`$2', expected \`$3'"; fi; }
must() { local what=$1; shift; if "$@" >out 2>err; then ok; else bad "$what"; fi; }
skip() { SKIPPED=$((SKIPPED + 1)); echo "skipped: $*"; }
# summary NAME: the last line, and the exit status.
summary() {
	printf '%s: %d passed, %d failed, %d skipped\n' "$1" "$PASSED" "$FAILED" "$SKIPPED"
	[ "$FAILED" = 0 ]
}

# table DISK: its partitions, without what is made anew each time.
table() { sfdisk -d "$1" 2>/dev/null | sed -nE 's/^[^ ]+ : start= *([0-9]+), size= *([0-9]+), type=([0-9A-F-]+), uuid=[^,]+/\1 \2 \3/p'; }
# part DISK NAME: start and size in sectors.
part() { table "$1" | awk -v n="name=\"$2\"" 'index($0, n) {print $1, $2 + 0}'; }
content() { dd if="$1" bs=512 skip="$2" count="$3" status=none | sha256sum; }
# ends DISK START SIZE: the same of the first 64 MiB and the last: what anything but a copy would touch.
ends() { { content "$1" "$2" 131072; content "$1" $(($2 + $3 - 2048)) 2048; } | sha256sum; }
# bootable DISK: has boot code and a root.
bootable() { head -c 4 "$1" | grep -q '^BOOT' && [ -n "$(part "$1" phoenix-root)" ]; }
not_bootable() { if bootable "$1"; then bad "$2: it would boot"; else ok; fi; }
will_boot() { if bootable "$1"; then ok; else bad "$2: it would not boot"; fi; }

# image FILE MIB [TYPE]: boot code, an ESP and a root of MIB, with contents that tell.
image() {
	truncate -s "$(($2 + 12))M" "$1"
	sfdisk -q "$1" <<-EOT
		label: gpt
		start=2048, size=16384, name=phoenix-esp, type=uefi
		size=$(($2 * 2048)), name=phoenix-root, type=${3:-4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709}
	EOT
	printf BOOT | dd of="$1" conv=notrunc status=none
	head -c "$2"M /dev/zero | openssl enc -aes-128-ctr -K "$(printf %032d 1)" -iv "$(printf %032d "$2")" |
		dd of="$1" bs=1M seek=9 conv=notrunc status=none
}

# same_root DISK IMAGE
same_root() {
	local from to size
	read -r from size < <(part "$2" phoenix-root)
	read -r to _ < <(part "$1" phoenix-root)
	is "root of $1 as in $2" "$(content "$1" "$to" "$size")" "$(content "$2" "$from" "$size")"
}
# seed_is DISK IMAGE
seed_is() {
	local start
	read -r start _ < <(part "$1" CIDATA)
	is "seed on $1" "$(content "$1" "$start" 2048)" "$(sha256sum <"$2")"
}

# The least that an image and a data partition fit on: nothing here is about size.
blank() { rm -f "$1"; truncate -s 1200M "$1"; }

# exchange_ca IMAGE: SHA-256 of the cluster's certificate, by which a data partition knows its cluster.
exchange_ca() {
	mcopy -i "$1" ::phoenix-seed.yaml - | awk '/^  exchange:/ {in_exchange = 1}
		in_exchange && /BEGIN CERTIFICATE/ {on = 1}
		on {sub(/^ +/, ""); print}
		on && /END CERTIFICATE/ {exit}' |
		openssl x509 -outform DER | sha256sum | cut -d' ' -f1
}

# data_of DISK SEEDS NODE: its data partition as NODE leaves it, with a record; sets DATA_*.
data_of() {
	local start size
	read -r start size < <(part "$1" phoenix-data)
	mkdir -p data/state
	printf '{"version":1,"cluster":"railiance","node":"%s","exchange_ca":"%s","wiped_by":""}\n' \
		"$3" "$(exchange_ca "$2/$3.img")" >data/state/data.json
	mkfs.ext4 -q -F -L phoenix-data -d data -E offset=$((start * 512)) "$1" "$((size / 2))k"
	DATA_START=$start DATA_SIZE=$size DATA_SUM=$(ends "$1" "$start" "$size")
}
# data_is_kept DISK WHAT
data_is_kept() {
	is "$2: where the data is" "$(part "$1" phoenix-data)" "$DATA_START $DATA_SIZE"
	is "$2: the data" "$(ends "$1" "$DATA_START" "$DATA_SIZE")" "$DATA_SUM"
}
