# shellcheck shell=bash
# What is shipped is what the lab tests: three nodes whose root is that of the disk
# image, with nothing over it but the lab's own settings, become one cluster.
# needs: k3s disk-image
# list: full
# limit: 600

case_run() {
	local n
	PHOENIX_LAB_IMAGE=$(disk_image)
	# the image has no FUSE helpers, so the seed is no medium
	export PHOENIX_LAB_IMAGE PHOENIX_LAB_SEED_AS=folder
	step form
	formed
	for n in "${NODES[@]}"; do
		must_be "image of $n" "$(on "$n" sh -c '. /etc/os-release; echo "$IMAGE_ID $IMAGE_VERSION"')" \
			"threephoenix $(cat "$REPO/VERSION")"
		within 100 "nothing is left to do on $n" nothing_left "$n"
	done
	step 'a node is flashed anew'
	reflash "$C"
	within "$JOIN_LIMIT" 'three voters again' well "$A"
}
