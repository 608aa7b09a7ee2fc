# shellcheck shell=bash
# What lies beside an image: its checksum, what is in it (package list, SPDX), a
# signature when a key is given. Who sources this has OUT, NAME, VERSION, EPOCH.

papers_make() {
	local when
	when=$(date -u -d "@$EPOCH" +%Y-%m-%dT%H:%M:%SZ)
	jq -r '.packages[] | [.name, .version, .architecture] | join(" ")' "$OUT/manifest.json" >"$OUT/$NAME.packages"
	papers_sum
	jq -S --arg name "$NAME" --arg version "$VERSION" --arg distribution "$DISTRIBUTION" --arg when "$when" \
		--arg sum "$(cut -d' ' -f1 "$OUT/$NAME.raw.zst.sha256")" -f "$HERE/lib/spdx.jq" "$OUT/manifest.json" >"$OUT/$NAME.spdx.json"
	rm "$OUT/manifest.json"
	[ -z "${SIGN_KEY:-}" ] || papers_sign
}

# As `sha256sum -c' reads it.
papers_sum() { (cd "$OUT" && sha256sum "$NAME".raw.zst >"$NAME.raw.zst.sha256"); }

# Over the checksum: who has checked that has checked the image.
papers_sign() {
	openssl pkeyutl -sign -rawin -inkey "$SIGN_KEY" -out "$OUT/$NAME.raw.zst.sha256.sig" -in "$OUT/$NAME.raw.zst.sha256" ||
		die "SIGN_KEY=$SIGN_KEY: cannot sign with it"
}
