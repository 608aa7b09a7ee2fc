# shellcheck shell=bash
# A node's storage: the root (an overlay whose upper half lives in the state
# folder) and the data disk (a sparse file on a loop device).

# root_new NODE: what flashing does: a fresh root with the newest product, and
# the seed medium as it was written.
root_new() {
	local dir
	dir=$(node_dir "$1")
	rm -rf "$dir/upper" "$dir/work"
	mkdir -p "$dir/upper" "$dir/work" "$dir/root"
	layer_make >"$dir/layer"
	seed_insert "$1"
}

data_new() {
	local file
	file=$(node_dir "$1")/data.img
	rm -f "$file"
	truncate -s "$DATA_SIZE" "$file"
}

# loop_attach FILE: prints the loop device; one per file.
loop_attach() {
	local dev
	dev=$(loop_of "$1")
	[ -n "$dev" ] || dev=$(losetup --find --show "$1")
	printf '%s\n' "$dev"
}
loop_of() { losetup --noheadings --output NAME --associated "$1" | head -n 1; }
loop_gone() {
	local dev
	dev=$(loop_of "$1")
	[ -z "$dev" ] || { losetup --detach "$dev" 2>/dev/null || true; [ -z "$(loop_of "$1")" ]; }
}

# The kernel unmounts what a dead node had mounted a moment after its last
# process is gone; until then the file is in use.
loop_detach() {
	[ -e "$1" ] || return 0
	wait_for 20 loop_gone "$1" || die "$1 is still mounted somewhere: see \`losetup -l'"
}

# disks_attach NODE: the loop devices, and the description by which the node
# makes its own device nodes at boot (never bound: udev in the node would change
# the modes of the machine's). The loop number is the machine's choice, the
# name below by-id is what configurations use.
disks_attach() {
	local dir conf data seed
	dir=$(node_dir "$1")
	conf=$dir/upper/etc/tmpfiles.d/lab-disks.conf
	data=$(loop_attach "$dir/data.img")
	mkdir -p "${conf%/*}"
	{
		echo '# lab only: the disks of this power on'
		disk_line "$data" virtio-phoenix-data
		if [ "$(seed_as "$1")" = cidata ]; then
			seed=$(loop_attach "$dir/seed/medium.img")
			disk_line "$seed" virtio-phoenix-seed
		fi
	} >"$conf"
}

# In a container nobody has mounted a devtmpfs with the names of disks: the
# by-label names come from udev in the node, these two from here.
disk_line() {
	printf 'b! %s 0660 root disk - %d:%d\n' "$1" "0x$(stat -c %t "$1")" "0x$(stat -c %T "$1")"
	printf 'L+! /dev/disk/by-id/%s - - - - ../../%s\n' "$2" "${1##*/}"
}

disks_detach() {
	loop_detach "$(node_dir "$1")/data.img"
	loop_detach "$(node_dir "$1")/seed/medium.img"
}

off_check() {
	node_exists "$1"
	! node_is_on "$1" || die "$1 is on: \`$0 cut $1' first"
}

# lab wipe NODE: flashed with --wipe: new root, empty data disk.
cmd_wipe() {
	[ $# = 1 ] || usage_error "wipe NODE"
	node_check "$1"; off_check "$1"
	base_ensure
	root_new "$1"
	data_new "$1"
}

# lab reroot NODE: flashed again: new root, the data disk stays.
cmd_reroot() {
	[ $# = 1 ] || usage_error "reroot NODE"
	node_check "$1"; off_check "$1"
	base_ensure
	root_new "$1"
}

# lab disk NODE save|restore NAME: a copy of the data disk, and back: how an old
# disk or a snapshot comes to life again.
cmd_disk() {
	[ $# = 3 ] || usage_error "disk NODE save|restore NAME"
	node_check "$1"; off_check "$1"
	local dir copy
	dir=$(node_dir "$1")
	[[ $3 =~ ^[A-Za-z0-9._-]+$ ]] || usage_error "disk name \`$3': letters, digits, . _ -"
	copy=$STATE/disks/$3.img
	mkdir -p "$STATE/disks"
	case $2 in
	save) cp --sparse=always --reflink=auto "$dir/data.img" "$copy" ;;
	restore)
		[ -f "$copy" ] || die "no saved disk $3 in $STATE/disks"
		cp --sparse=always --reflink=auto "$copy" "$dir/data.img"
		;;
	*) usage_error "disk $1 $2: save or restore" ;;
	esac
}
