# shellcheck shell=bash
# The Node of a dead machine was deleted without K3s removing its etcd member (seen
# when that happens within seconds of its birth): the re-flashed node removes it.
# needs: product k3s
# list: full
# limit: 600

case_run() {
	local id
	step form
	formed
	id=$(mark "$A" id)
	lab cut "$C"
	lab wipe "$C"
	# in the store itself: through the API K3s's finalizer would do its work
	must "the Node is deleted past K3s" on "$A" sh -ec 'cd /var/lib/rancher/k3s/server/tls/etcd
		etcdctl --endpoints https://127.0.0.1:2379 --cacert server-ca.crt --cert client.crt --key client.key \
			del "/registry/minions/$1"' _ "$C"
	lab boot "$C"
	step 'the member without a Node'
	within 60 "$C says what it waits for" tells "$C" "an etcd member but no Node"
	must_be "the cluster" "$(whole 300)" "$id"
	must_be "voters" "$(voters_of "$A" "$A")" "$A $B $C"
}
