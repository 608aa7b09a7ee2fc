# shellcheck shell=bash
# What lies beside an image: its checksum, what is in it (package list, SPDX), a
# signature when a key is given. Who sources this has HERE, NAME, VERSION, EPOCH.

# papers_make FOLDER MANIFEST: of FOLDER/NAME.raw.zst; MANIFEST is mkosi's.
papers_make() {
	local image=$1/$NAME.raw.zst when
	when=$(date -u -d "@$EPOCH" +%Y-%m-%dT%H:%M:%SZ)
	# as `sha256sum -c' reads it
	(cd "$1" && sha256sum "$NAME.raw.zst") >"$image.sha256"
	jq -r '.packages[] | [.name, .version, .architecture] | join(" ")' "$2" >"$1/$NAME.packages"
	jq -S --arg name "$NAME" --arg version "$VERSION" --arg distribution "$DISTRIBUTION" --arg when "$when" \
		--arg sum "$(cut -d' ' -f1 "$image.sha256")" -f "$HERE/lib/spdx.jq" "$2" >"$1/$NAME.spdx.json"
	[ -z "${SIGN_KEY:-}" ] || papers_sign "$image.sha256"
}

# Over the checksum: who has checked that has checked the image.
papers_sign() {
	openssl pkeyutl -sign -rawin -inkey "$SIGN_KEY" -in "$1" -out "$1.sig" || die "SIGN_KEY=$SIGN_KEY: cannot sign with it"
}
