# shellcheck shell=bash
# What lies over base in every node: tests/lab/rootfs, the installed product,
# and the links to the K3s of $PARTS. Re-installing the product therefore never
# rebuilds base; a node gets the newest layer with its next new root.

CNI_PLUGINS=(bridge host-local loopback portmap bandwidth firewall)

# Where K3s is: in the parts folder, else the release of image/assets.lock that
# k3s_fetch has brought. Sets K3S_DIR (empty when there is none) and K3S_MISSING
# (what to tell then).
k3s_find() {
	K3S_DIR='' K3S_MISSING=''
	if [ -f "$PARTS/k3s/k3s" ]; then
		K3S_DIR=$PARTS/k3s
	elif k3s_from_lock; then
		return 0
	else
		# shellcheck disable=SC2034 # told in cluster.sh
		K3S_MISSING="no K3s: put \`k3s' (and, for a plain server binary, \`containerd-shim-runc-v2') into $PARTS/k3s, or set PHOENIX_PARTS"
	fi
}

# image/assets alone reads the table. The folder holds that one file.
k3s_from_lock() {
	local file
	file=$("$REPO/image/assets" path k3s 2>/dev/null) || return 1
	K3S_DIR=${file%/*}
}

# Once for a command, before nodes are made: a boot does not wait for a download.
# Without a checksum in the table nothing is fetched; image/assets says so.
k3s_fetch() {
	[ -f "$PARTS/k3s/k3s" ] || "$REPO/image/assets" fetch k3s >&2 || true
}

# The one directory K3s finds its helpers in. The release is a single file that
# brings them along; the plain server binary looks for them in PATH.
layer_k3s() {
	local bin=$1/opt/k3s/bin p
	if [ -z "$K3S_DIR" ]; then
		rm -rf "$1/opt/k3s"
		return 0
	fi
	mkdir -p "$1/usr/local/bin"
	for p in k3s kubectl ctr; do ln -s /opt/lab/k3s/k3s "$bin/$p"; done
	# As the release's installer does. (`k3s kubectl' is not understood by a plain
	# server binary, the link is by both.)
	for p in k3s kubectl ctr; do ln -s "/opt/k3s/bin/$p" "$1/usr/local/bin/$p"; done
	if [ -f "$K3S_DIR/containerd-shim-runc-v2" ]; then
		ln -s /opt/lab/k3s/k3s "$bin/containerd"
		ln -s /opt/lab/k3s/containerd-shim-runc-v2 "$bin/containerd-shim-runc-v2"
		ln -s /usr/sbin/runc "$bin/runc"
		for p in "${CNI_PLUGINS[@]}"; do ln -s "/usr/lib/cni/$p" "$bin/$p"; done
		[ ! -f "$K3S_DIR/flannel" ] || ln -sf /opt/lab/k3s/flannel "$bin/flannel"
	else
		rm -f "$bin/flannel"
	fi
}

# The installed product. Its units are enabled as the disk image enables them,
# by their own [Install] sections; k3s.service has none, firstboot starts it.
layer_product() {
	local lock unit target targets
	exec {lock}>"$LABS/build.lock"
	flock -s "$lock"
	cp -a "$STAGE/." "$1/"
	exec {lock}>&-
	for unit in "$STAGE"/usr/lib/systemd/system/phoenix*; do
		[ -f "$unit" ] || continue
		read -ra targets < <(sed -n 's/^WantedBy=//p' "$unit" | paste -sd ' ')
		for target in "${targets[@]}"; do
			mkdir -p "$1/etc/systemd/system/$target.wants"
			ln -sf "/usr/lib/systemd/system/${unit##*/}" "$1/etc/systemd/system/$target.wants/"
		done
	done
}

# Prints the folder of the newest layer. Layers are named by their content:
# one that a running node has mounted is never changed.
layer_make() {
	local tmp=$STATE/layers/tmp.$$ name
	mkdir -p "$tmp"
	cp -r --preserve=mode,links "$LAB_HOME/rootfs/." "$tmp/"
	chmod -R u+rwX,go+rX,go-w "$tmp"
	k3s_find
	layer_k3s "$tmp"
	[ "${BARE:-0}" = 1 ] || [ ! -d "$STAGE" ] || layer_product "$tmp"
	name=$(tar -C "$tmp" --sort=name --mtime=@0 --owner=0 --group=0 -cf - . | sha256sum | cut -c1-12)
	if [ -d "$STATE/layers/$name" ]; then rm -rf "$tmp"; else mv -T "$tmp" "$STATE/layers/$name"; fi
	printf '%s\n' "$STATE/layers/$name"
}
