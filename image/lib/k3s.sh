# shellcheck shell=bash
# Where K3s comes from, and how it lies in a node. Who sources this has REPO and PARTS.

# In the parts folder, else the release of image/assets.lock that k3s_fetch has
# brought. Sets K3S_DIR (empty when there is none) and K3S_MISSING (what to tell then).
k3s_find() {
	K3S_DIR='' K3S_MISSING=''
	if [ -f "$PARTS/k3s/k3s" ]; then
		K3S_DIR=$PARTS/k3s
	elif k3s_from_lock; then
		return 0
	else
		# shellcheck disable=SC2034 # told by who asks
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

# The release is a single file that brings its helpers along; the plain server
# binary looks for them in PATH.
k3s_is_plain() { [ -f "$K3S_DIR/containerd-shim-runc-v2" ]; }

K3S_HELPERS=(bridge host-local loopback portmap bandwidth firewall)

# k3s_helpers FOLDER K3S: FOLDER becomes the one directory in which a plain server
# binary, there as K3S/k3s, finds all.
k3s_helpers() {
	local p
	mkdir -p "$1"
	for p in k3s kubectl ctr containerd; do ln -sf "$2/k3s" "$1/$p"; done
	ln -sf "$2/containerd-shim-runc-v2" "$1/containerd-shim-runc-v2"
	ln -sf /usr/sbin/runc "$1/runc"
	for p in "${K3S_HELPERS[@]}"; do ln -sf "/usr/lib/cni/$p" "$1/$p"; done
	[ ! -f "$K3S_DIR/flannel" ] || ln -sf "$2/flannel" "$1/flannel"
}

# k3s_install ROOT: K3s below ROOT as the units of a node expect it.
k3s_install() {
	local p unit
	mkdir -p "$1/usr/local/bin"
	if k3s_is_plain; then
		mkdir -p "$1/opt/k3s"
		cp -L "$K3S_DIR"/* "$1/opt/k3s/"
		k3s_helpers "$1/opt/k3s/bin" /opt/k3s
		for unit in k3s phoenix-firstboot; do
			mkdir -p "$1/etc/systemd/system/$unit.service.d"
			printf '# K3s as a plain server binary finds its helpers in PATH\n[Service]\nEnvironment=PATH=%s\n' \
				/opt/k3s/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
				>"$1/etc/systemd/system/$unit.service.d/50-k3s.conf"
		done
		for p in k3s kubectl ctr; do ln -sf "/opt/k3s/bin/$p" "$1/usr/local/bin/$p"; done
	else
		install -m 755 "$K3S_DIR/k3s" "$1/usr/local/bin/k3s"
		for p in kubectl crictl ctr; do ln -sf k3s "$1/usr/local/bin/$p"; done
	fi
}

# k3s_packages: what the node needs for it besides image/packages
k3s_packages() { ! k3s_is_plain || printf '%s\n' runc containernetworking-plugins; }
