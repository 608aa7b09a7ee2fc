#!/usr/bin/env bash
# Every file that `phoenix seed` writes for cloud-init, judged by cloud-init itself. Run in a folder with out/ of a seed run.
# The network file is rendered for systemd-networkd too: a schema says nothing about what becomes of it. (On a node the name is that of
# the interface with this MAC address; no machine that runs this test has it.)
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for node in out/*/; do
	name=$(basename "$node")
	cloud-init schema --config-file "$node/user-data" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
	if cloud-init schema --help | grep -q network-config; then
		cloud-init schema --schema-type network-config --config-file "$node/network-config" >"$work/said" 2>&1 ||
			{ cat "$work/said"; exit 1; }
	fi
	cloud-init devel net-convert --network-data "$node/network-config" --kind yaml --output-kind networkd --distro debian \
		--directory "$work/$name" >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
	echo "== $name"
	find "$work/$name" -type f -printf '%f\n' -exec grep -v '^$' {} \;
done
