# shellcheck shell=bash
# What lies over base in every node: tests/lab/rootfs, the installed product, its
# container images, and the links to the K3s of $PARTS. Re-installing the product therefore never
# rebuilds base; a node gets the newest layer with its next new root.

# shellcheck source=image/lib/k3s.sh
. "$LAB_HOME/../../image/lib/k3s.sh"

# The one directory K3s finds its helpers in. The folder K3S_DIR is bound into the
# node, and links lead there.
layer_k3s() {
	local bin=$1/opt/k3s/bin p
	if [ -z "$K3S_DIR" ]; then
		rm -rf "$1/opt/k3s"
		return 0
	fi
	mkdir -p "$1/usr/local/bin"
	if k3s_is_plain; then
		k3s_helpers "$bin" /opt/lab/k3s
	else
		for p in k3s kubectl ctr; do ln -s /opt/lab/k3s/k3s "$bin/$p"; done
		rm -f "$bin/flannel"
	fi
	# As the release's installer does. (`k3s kubectl' is not understood by a plain
	# server binary, the link is by both.)
	for p in k3s kubectl ctr; do ln -s "/opt/k3s/bin/$p" "$1/usr/local/bin/$p"; done
}

# The installed product. Its units are enabled as the disk image enables them,
# by their own [Install] sections; k3s.service has none, firstboot starts it.
layer_product() {
	local lock unit target targets
	exec {lock}>"$LABS/build.lock"
	flock -s "$lock"
	cp -a "$STAGE/." "$1/"
	# components want storage, which only the cases about them make: they bring the manifests that they want
	rm -f "$1"/usr/share/threephoenix/manifests/[2-9]*
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
	if [ "${BARE:-0}" != 1 ] && [ -z "${PHOENIX_LAB_IMAGE:-}" ] && [ -d "$STAGE" ]; then
		layer_product "$tmp"
		layer_images "$tmp"
	fi
	name=$(tar -C "$tmp" --sort=name --mtime=@0 --owner=0 --group=0 -cf - . | sha256sum | cut -c1-12)
	if [ -d "$STATE/layers/$name" ]; then rm -rf "$tmp"; else mv -T "$tmp" "$STATE/layers/$name"; fi
	printf '%s\n' "$STATE/layers/$name"
}
