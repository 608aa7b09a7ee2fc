# shellcheck shell=bash
# Container images in the nodes: our own, where the disk image has them too, and one that holds pods.

PAUSE=localhost/lab-pause:1

# What `image/build containers' has made of this tree, or nothing. Sets CONTAINERS.
containers_find() {
	local file
	CONTAINERS=
	for file in "$REPO/build/image/debian-trixie/containers"/threephoenix-*.tar; do
		[ ! -f "$file" ] || CONTAINERS=${file%/*}
	done
}

# layer_images LAYER: nodes without our images get no other either.
layer_images() {
	containers_find
	[ -n "$CONTAINERS" ] && [ -f "$LABS/pause.tar" ] || return 0
	containers_ship "$CONTAINERS" "$1"
	mkdir -p "$1/usr/lib/lab/images" "$1/etc/rancher/k3s/config.yaml.d"
	cp "$LABS/pause.tar" "$1/usr/lib/lab/images/"
	printf 'pause-image: %s\n' "$PAUSE" >"$1/etc/rancher/k3s/config.yaml.d/91-lab-pause.yaml"
}

# As an archive of the older kind: a manifest, a configuration, a layer. Compiled by the product's compiler.
pause_make() {
	local dir=$LABS/pause config
	[ "$LABS/pause.tar" -nt "$LAB_HOME/pause.c" ] && return 0
	rm -rf "$dir"
	mkdir -p "$dir/image"
	root_run "$dir/root" "$COMPILER" "$LAB_HOME:/src" "$dir:/out" -- cc -Os -static -s -o /out/pause /src/pause.c
	tar -C "$dir" -c --owner=0 --group=0 --mtime=@0 pause >"$dir/image/layer.tar"
	config=$(sha256sum <"$dir/image/layer.tar" | jq -Rc '{architecture: "amd64", os: "linux", config: {Entrypoint: ["/pause"],
		User: "65535:65535"}, rootfs: {type: "layers", diff_ids: ["sha256:" + .[:64]]}}')
	printf '%s' "$config" >"$dir/image/config.json"
	jq -nc --arg name "$PAUSE" '[{Config: "config.json", RepoTags: [$name], Layers: ["layer.tar"]}]' >"$dir/image/manifest.json"
	tar -C "$dir/image" -c -f "$LABS/pause.tar.tmp" manifest.json config.json layer.tar
	mv "$LABS/pause.tar.tmp" "$LABS/pause.tar"
	rm -rf "$dir"
}
