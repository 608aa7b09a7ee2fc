# shellcheck shell=bash
# Entries of kind `image': a container image of a registry, kept as an OCI
# archive, which containerd imports. skopeo reads the registry and compares each
# part with the digest; what lies in the cache is compared here.

# skopeo COMMAND... into OUT; its last line is its reason.
skopeo_run() { # OUT OPTION...
	local out=$1 status=0
	shift
	# The digest says what is accepted; a policy of this machine is about other images.
	bounded skopeo --insecure-policy --command-timeout "${LIMIT}s" "$@" >"$out" 2>"$out.said" || status=$?
	SAID=$(tail -n 1 "$out.said" | sed -E 's/.*level=fatal msg="(.*)"$/\1/; s/\\"/"/g')
	rm -f "$out.said"
	[ "$status" = 0 ] || SAID=${SAID:-skopeo ended with status $status}
	return "$status"
}

# image_fetch NAME PART. skopeo continues nothing, so what an interrupted run left is removed.
image_fetch() {
	local status=0 retries=$((TRIES - 1)) source="docker://${URL[$1]}@${SUM[$1]}"
	need skopeo "$1" || return
	rm -rf "$2" "$2.tmp"
	mkdir "$2.tmp" || { fail "$1: cannot write below $STORE"; return; }
	# A path with a colon would be two words for skopeo; this one has none.
	cd "$STORE/part" || return "$FAILED"
	skopeo_run "$2.out" --tmpdir "$2.tmp" copy --quiet --retry-times "$retries" --preserve-digests "$source" \
		"oci-archive:${2##*/}:${URL[$1]}:${VERSION[$1]}" || status=$?
	cd "$OLDPWD" || return "$FAILED"
	rm -rf "$2.tmp" "$2.out"
	if [ "$status" != 0 ]; then image_failed "$1" "$source"
	elif ! image_sound "$1" "$2"; then image_other "$1" "$2"; fi
}

image_failed() { # NAME SOURCE
	fail "$1: $2: $SAID" || true
	case $SAID in *'did not match'* | *'does not match'*) return "$STOP" ;; esac
	return "$FAILED"
}

# skopeo has compared every part, so what it brought is in order. It is another
# image than named when the digest is of a list, one image for each platform.
image_other() { # NAME PART
	local got
	got=$(image_member "$2" index.json | jq -r '.manifests[].digest')
	rm -f "$2"
	note "$1: the digest is not that of one image"
	note "  expected ${SUM[$1]}  (${AT[$1]})"
	note "  got      $got  (the one of that list for this platform)"
	note "  from     ${URL[$1]}"
	return "$STOP"
}

image_member() { tar -xOf "$1" --occurrence=1 "$2" 2>/dev/null; } # ARCHIVE MEMBER

# image_sound NAME ARCHIVE: the archive has one image, that of the digest, with
# all that its manifest lists; each blob has the sum that is its name.
image_sound() {
	local digest=${SUM[$1]} blobs named
	blobs=$(image_blobs "$2") || return
	image_member "$2" index.json | jq -e --arg d "$digest" '[.manifests[].digest] == [$d]' >/dev/null || return
	named=$(image_member "$2" "blobs/sha256/${digest#sha256:}" | jq -r '.config.digest, .layers[].digest') || return
	[ "$blobs" = "$(printf '%s\n' "$digest" "$named" | sort -u)" ]
}

# The digests of the blobs in it; fails when one has another sum than its name, or the archive ends early.
image_blobs() { # ARCHIVE
	# shellcheck disable=SC2016 # expanded by tar's shell, once for each member
	tar -xf "$1" --to-command='echo "$(sha256sum | cut -c1-64) $TAR_FILENAME"' 2>/dev/null |
		awk 'sub(".*blobs/sha256/", "", $2) { if ($1 != $2) exit 1; print "sha256:" $1 }' | sort -u
}
