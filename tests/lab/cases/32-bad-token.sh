# shellcheck shell=bash
# A node that comes back with a token of another time: the cluster refuses it, it
# says so, touches nothing, and goes on with the right seed, without a flash.
# needs: product k3s
# list: full
# limit: 600

# The password after "server:" is what the servers compare.
spoil() {
	rm -rf "$STATE/spoilt"
	cp -r "$STATE/seeds/$1" "$STATE/spoilt"
	must "the seed has a token" grep -q '::server:' "$STATE/spoilt/phoenix-seed.yaml"
	sed -i '/token: "K10/s/::server:....../::server:000000/' "$STATE/spoilt/phoenix-seed.yaml"
	must_not "the token differs" cmp -s "$STATE/spoilt/phoenix-seed.yaml" "$STATE/seeds/$1/phoenix-seed.yaml"
}

blank_still() { ! k3s_runs "$C" && [ "$(state_of "$C" "$C")" = blank ]; }

case_run() {
	local id
	step form
	formed
	id=$(mark "$A" id)
	step 'the wrong token'
	spoil "$C"
	lab cut "$C"
	lab wipe "$C"
	lab seed "$C" "$STATE/spoilt" --as folder
	lab boot "$C"
	within 90 "$C says that it is refused" tells "$C" "refuses our token"
	stays 15 "$C stays blank" blank_still
	must "the others go on" api_writes "$A"
	must_be "voters" "$(voters_of "$A" "$A")" "$A $B $C"
	step 'the right one'
	on "$C" sh -ec 'mkdir -p /var/lib/cloud/seed/nocloud; cat >/var/lib/cloud/seed/nocloud/phoenix-seed.yaml' \
		<"$STATE/seeds/$C/phoenix-seed.yaml"
	must_be "the cluster" "$(whole "$JOIN_LIMIT")" "$id"
}
