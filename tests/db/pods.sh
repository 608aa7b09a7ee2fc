# shellcheck shell=bash
# Three database pods as the product runs them: `phoenix pg' as process 1, each with its own network,
# processes, volume and root file system; without Kubernetes, but with a double of its API (three
# servers). Who sources this has REPO, DIR, PHOENIX, API and passed db_namespace.

PODS=(0 1 2)
NETWORK=10.77.0
ACCOUNT=run/secrets/kubernetes.io/serviceaccount

address_of() { echo "$NETWORK.1$1"; }
server_of() { echo "$NETWORK.$(($1 + 1))"; } # the API server of its node

# pods_prepare async|sync: network, certificates, configuration, the API.
pods_prepare() {
	local mode=$1 i name
	mount -t tmpfs tmpfs /run
	ip link set lo up
	ip link add pods type bridge
	for i in "${PODS[@]}"; do ip address add "$(server_of "$i")/24" dev pods; done
	ip link set pods up
	chmod 755 "$DIR"
	mkdir -p "$DIR"/config/{database,secrets,tls}
	db_certificates
	cp "$DIR/ca.pem" "$DIR/config/tls/ca.crt"
	cp "$DIR/server.pem" "$DIR/config/tls/server.crt"
	cp "$DIR/server.key" "$DIR/config/tls/server.key"
	for i in "${PODS[@]}"; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=postgres-$i" -CA "$DIR/ca.pem" \
			-CAkey "$DIR/ca.key" -keyout "$DIR/config/tls/postgres-$i.key" -out "$DIR/config/tls/postgres-$i.crt" 2>/dev/null
	done
	for name in repmgr pgbauth pgpool route gitea; do printf '%s-secret\n' "$name" >"$DIR/config/secrets/$name"; done
	jq -n --arg mode "$mode" --arg network "$NETWORK.0/24" --arg net "$NETWORK" '{version: 1, replication: $mode, reads: "primary",
		network: $network, api: [1, 2, 3 | "https://\($net).\(.):6443"], services: [{name: "gitea", database: "gitea", role: "gitea"}]}' \
		>"$DIR/config/database/database.json"
	chown -R "$DB_USER:$DB_GROUP" "$DIR/config"
	chmod -R go= "$DIR/config/secrets" "$DIR"/config/tls/*.key
	make -s -C "$REPO" SAY=@true BUILD="$DIR/build" PG_HEADERS="$DB_ROOT/usr/include" "$DIR/build/phoenix_fence.so"
	for i in "${PODS[@]}"; do pod_network "$i"; done
	api_start
}

api_start() {
	local i
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=api -CA "$DIR/ca.pem" -CAkey "$DIR/ca.key" \
		-addext 'basicConstraints=critical,CA:FALSE' -addext "subjectAltName=IP:$(server_of 0),IP:$(server_of 1),IP:$(server_of 2)" \
		-keyout "$DIR/api.key" -out "$DIR/api.pem" 2>/dev/null
	for i in "${PODS[@]}"; do
		mkdir -p "$DIR/account-$i"
		cp "$DIR/ca.pem" "$DIR/account-$i/ca.crt"
		printf 'token-%s' "$i" >"$DIR/account-$i/token"
		printf 'token-%s pod-%s\n' "$i" "$i" >>"$DIR/tokens"
	done
	chmod -R a+rX "$DIR"/account-*
	"$API" --cert "$DIR/api.pem" --key "$DIR/api.key" --tokens "$DIR/tokens" --socket "$DIR/api" \
		"$(server_of 0):6443" "$(server_of 1):6443" "$(server_of 2):6443" >"$DIR/api.said" 2>"$DIR/api.log" &
	until_true 10 'the API answers' grep -q ready "$DIR/api.said"
	api put /api/v1/namespaces/database '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"database"}}'
}
# api COMMAND...: to the double, as `api --help' has them.
api() { "$API" --tell "$DIR/api" "$@"; }

# api_pod N ADDRESS: a new pod in the place of an old one; prints its UID.
api_pod() {
	local path=/api/v1/namespaces/database/pods/postgres-$1
	api delete "$path" >/dev/null 2>&1 || true
	api put "$path" "$(jq -nc --arg name "postgres-$1" --arg ip "$2" '{apiVersion: "v1", kind: "Pod",
		metadata: {name: $name, namespace: "database", labels: {"app.kubernetes.io/name": "postgres"}}, status: {podIP: $ip}}')" >/dev/null
	api get "$path" | grep -o '"uid": *"[^"]*"' | cut -d '"' -f 4
}

pod_network() {
	ip netns add "pod-$1"
	ip link add "pod$1" type veth peer name eth0 netns "pod-$1"
	ip link set "pod$1" master pods up
	ip -n "pod-$1" link set lo up
	ip -n "pod-$1" address add "$(address_of "$1")/24" dev eth0
	ip -n "pod-$1" link set eth0 up
	ip -n "pod-$1" route add default via "$NETWORK.1"
}

# pod_start N: a pod of this name, as the API knows it; its volume is what lies there.
pod_start() {
	local i=$1 uid
	uid=$(api_pod "$i" "$(address_of "$i")")
	printf '%s\n' "$uid" >"$DIR/pod-$i.uid"
	pod_run "$i" "$uid"
}

# pod_run N UID: its container, (again) from nothing but the volume.
pod_run() {
	local i=$1 uid=$2 dir=$DIR/pod-$1
	rm -rf "$dir"
	mkdir -p "$dir/run" "$dir/socket" "$DIR/volume-$i" "$dir/bin"
	cp "$PHOENIX" "$dir/bin/phoenix"
	chown "$DB_USER:$DB_GROUP" "$dir/run" "$dir/socket" "$DIR/volume-$i"
	# shellcheck disable=SC2016 # the inner shells'
	ip netns exec "pod-$i" setsid bash -euc '. "$REPO/image/lib/root.sh"; root_run "$@"' sh "$dir/root" "$DB_ROOT" \
		"$DIR/volume-$i:/var/lib/phoenix" "$dir/run:/run/phoenix" "$dir/socket:/run/postgresql" "$DIR/config:/etc/phoenix" \
		"$DIR/account-$i:/$ACCOUNT" "$dir/bin:/test" "$DIR/build:/fence" -- sh -euc '
			ln -sf /fence/phoenix_fence.so /usr/lib/postgresql/17/lib/
			ln -sf /run/phoenix/repmgr.conf /etc/repmgr.conf
			exec unshare --pid --fork --kill-child --mount-proc setpriv --reuid='"$DB_USER"' --regid='"$DB_GROUP"' --clear-groups \
				env PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin HOME=/tmp PGPASSFILE=/run/phoenix/pgpass PHOENIX_DEBUG='"${PHOENIX_DEBUG:-}"' \
				POD_NAME=postgres-'"$i"' POD_UID='"$uid"' POD_IP='"$(address_of "$i")"' POD_NAMESPACE=database NODE_ADDRESS='"$(server_of "$i")"' \
				/test/phoenix pg' >>"$DIR/postgres-$i.log" 2>&1 &
	echo $! >"$DIR/pod-$i.pid"
}

# keeper_of N, supervisor_of N: process numbers, as seen from here.
keeper_of() {
	local p
	for p in $(pgrep -x phoenix); do
		grep -qz "^POD_NAME=postgres-$1\$" "/proc/$p/environ" 2>/dev/null || continue
		[ "$(awk '/^NSpid/ {print $NF}' "/proc/$p/status")" = 1 ] && echo "$p" && return
	done
	return 1
}
supervisor_of() { pgrep -x phoenix -P "$(keeper_of "$1")"; }
postmaster_of() { pgrep -x postgres -P "$(supervisor_of "$1")"; }

# pod_in N COMMAND...: in the pod, as its user.
pod_in() {
	local i=$1
	shift
	nsenter --target "$(keeper_of "$i")" --mount --net --pid --root --wd -- setpriv --reuid="$DB_USER" --regid="$DB_GROUP" --clear-groups \
		env -i PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin HOME=/tmp PGPASSFILE=/run/phoenix/pgpass LC_ALL=C.UTF-8 "$@"
}
sql_in() { pod_in "$1" psql -h /run/postgresql -U phoenix -d postgres -XAtc "$2"; }

pod_kill() {
	local pid
	pid=$(keeper_of "$1") && kill -9 "$pid"
	wait "$(cat "$DIR/pod-$1.pid")" 2>/dev/null || true
}

status_of() { jq -r "$2" "$DIR/pod-$1/run/pg.json" 2>/dev/null; }
# primary: the pod that may write, or nothing.
primary() {
	local i
	for i in "${PODS[@]}"; do [ "$(status_of "$i" .writes)" = true ] && keeper_of "$i" >/dev/null && echo "$i" && return; done
	return 1
}
# until_true SECONDS WHAT COMMAND...
until_true() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || { say "did not come true: $what"; return 1; }
		sleep 0.1
	done
}
is_whole() {
	local p i
	p=$(primary) || return
	for i in "${PODS[@]}"; do [ "$i" = "$p" ] || [ "$(status_of "$i" .streams)" = true ] || return; done
	[ "$(sql_in "$p" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")" = 2 ]
}
