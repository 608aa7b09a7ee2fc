#!/usr/bin/env bash
# Two builds of the disk image are bit for bit the same, and what lies beside it
# is about it. tests/image/reproducible.sh FOLDER, the first build's folder.
# As root; five minutes.
set -euo pipefail
# its mounts end with it
[ "${IN_NAMESPACE:-}" = 1 ] || IN_NAMESPACE=1 exec unshare --mount "$0" "$@"

FIRST=$(realpath "$1")
REPO=$(realpath "$(dirname "$0")/../..")
DIR=$(mktemp -d)
trap 'cd /; rm -rf --one-file-system "$DIR"' EXIT
cd "$DIR"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/image/lib.sh"

read -r DISTRIBUTION RELEASE < <(basename "$FIRST" | tr - ' ')
export DISTRIBUTION RELEASE
IMAGE=$(basename "$FIRST"/*.raw.zst)

same() { # FILE
	if cmp "$FIRST/$1" "$SECOND/$1" >out 2>err; then ok; else bad "$1 differs"; fi
}

# What differs in the roots of two images: names with owner, mode, size, time; then contents.
explain() {
	local side start
	for side in first second; do
		zstd -q -d --sparse "${!side}" -o "$side.raw"
		start=$(part "$side.raw" phoenix-root | cut -d' ' -f1)
		mkdir "$side"
		mount -o "ro,loop,offset=$((start * 512))" "$side.raw" "$side"
		(cd "$side" && find . -printf '%p %M %U:%G %s %T@ %n %l\n' | sort) >"$side.list"
	done
	diff first.list second.list | head -n 20 || true
	diff -rq --no-dereference first second 2>&1 | head -n 20 || true
	cmp -l first.raw second.raw | head -n 5 || true
	umount first second
}

build_again() {
	SECOND=$DIR/again/$DISTRIBUTION-$RELEASE
	openssl genpkey -algorithm ed25519 -out key.pem 2>/dev/null
	openssl pkey -in key.pem -pubout -out key.pub
	must 'a second build' env PHOENIX_IMAGE_DIR="$DIR/again" SIGN_KEY="$DIR/key.pem" "$REPO/image/build" disk
	first=$FIRST/$IMAGE second=$SECOND/$IMAGE
	same "$IMAGE"
	if ! cmp -s "$first" "$second"; then explain >&2; fi
	same "$IMAGE.kernel"
	same "$IMAGE.initrd"
	same "${IMAGE%.raw.zst}.packages"
	same "${IMAGE%.raw.zst}.spdx.json"
}

papers() {
	must 'its checksum fits' sh -c "cd '$SECOND' && sha256sum -c '$IMAGE.sha256'"
	must 'the signature is of it' openssl pkeyutl -verify -rawin -pubin -inkey key.pub -in "$SECOND/$IMAGE.sha256" -sigfile "$SECOND/$IMAGE.sha256.sig"
	is 'a package of the SBOM' "$(jq -r '.packages[] | select(.name == "cloud-init") | .SPDXID' "$SECOND"/*.spdx.json)" SPDXRef-cloud-init-all
	is 'packages, in the list and in the SBOM' "$(wc -l <"$(echo "$SECOND"/*.packages)")" \
		"$(jq '[.packages[] | select(.externalRefs)] | length' "$SECOND"/*.spdx.json)"
	is 'nothing of an unfinished run is left' "$(find "$SECOND" -maxdepth 1 -name 'tmp*' | wc -l)" 0
}

# at most 500 MB, compressed
size() {
	local mb=$(($(stat -c %s "$FIRST/$IMAGE") / 1000000))
	if [ "$mb" -le 500 ]; then ok; else : >err; bad "$mb MB, at most 500"; fi
}

build_again
papers
size
summary reproducible
