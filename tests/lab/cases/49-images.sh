# shellcheck shell=bash
# Our container images come with the system: K3s has imported them before a pod asks,
# and each runs as it will in the cluster: not as root, its root read-only.
# needs: product k3s containers
# list: full
# limit: 600

VERSION=$(cat "$REPO/VERSION")
NAMES=(phoenix phoenix-pooler phoenix-postgres)

# pod NAME IMAGE USER COMMAND...: runs on A, prints what it said. Never from a registry. In /host are the node's
# programs, for the image that has none; what is written goes to folders in memory, as in the real pods.
pod() {
	local name=$1 image=$2 user=$3 word command='[]'
	shift 3
	# (jq takes a word that begins with - for an option of its own, after --args too)
	for word in "$@"; do command=$(jq -c --arg word "$word" '. + [$word]' <<<"$command"); done
	jq -n --argjson command "$command" --arg name "$name" --arg image "localhost/$image:$VERSION" --argjson user "$user" --arg node "$A" '
		{apiVersion: "v1", kind: "Pod", metadata: {name: $name}, spec: {nodeName: $node, restartPolicy: "Never",
			automountServiceAccountToken: false, securityContext: {runAsNonRoot: true, fsGroup: $user},
			containers: [{name: "c", image: $image, imagePullPolicy: "Never", command: $command,
				securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false,
					capabilities: {drop: ["ALL"]}},
				volumeMounts: [{name: "host", mountPath: "/host", readOnly: true}, {name: "tmp", mountPath: "/tmp"},
					{name: "data", mountPath: "/var/lib/postgresql"}]}],
			volumes: [{name: "host", hostPath: {path: "/usr"}}, {name: "tmp", emptyDir: {medium: "Memory"}},
				{name: "data", emptyDir: {}}]}}' | on "$A" kubectl apply -f - >/dev/null
	wait_for 60 ended "$name" || { on "$A" kubectl describe pod "$name" >&2; fail "pod $name does not end"; }
	on "$A" kubectl logs "$name" | tee >(cat >&2)
	[ "$(phase "$name")" = Succeeded ] || { on "$A" kubectl describe pod "$name" >&2; fail "pod $name: $(phase "$name")"; }
	on "$A" kubectl delete pod "$name" --now >/dev/null
}
phase() { on "$A" kubectl get pod "$1" -o 'jsonpath={.status.phase}' 2>/dev/null; }
ended() { case $(phase "$1") in Succeeded | Failed) ;; *) return 1 ;; esac; }

# said WHAT TEXT PATTERN...: each pattern is a whole line of it.
said() {
	local what=$1 text=$2 pattern
	for pattern in "${@:3}"; do grep -qxE "$pattern" <<<"$text" || fail "$what: no line \`$pattern' in: $text"; done
}

check_imported() {
	local n
	for n in "${NODES[@]}"; do
		must_be "our images in $n" "$(on "$n" ctr -n k8s.io images ls -q | sed -n "s,^localhost/\(phoenix.*\):$VERSION\$,\1,p" |
			sort | paste -sd ' ')" "${NAMES[*]}"
	done
}
# imports NODE: how often K3s has read our archive there, since that root was new.
imports() { on "$1" journalctl -u k3s -o cat | grep -c 'Imported 3 images from .*/threephoenix-'; }

# The program answers; curl of the node, which runs with the libraries of the image, finds certificates to check with
# (60: none of these signed it; 77: none there); the time zones are known.
check_job() {
	local text
	text=$(pod job phoenix 65532 /usr/bin/phoenix --version)
	must_be "phoenix --version in its image" "$text" "$(on "$A" phoenix --version)"
	# shellcheck disable=SC2016 # expanded in the pod
	text=$(pod job-world phoenix 65532 /host/bin/busybox sh -c '
		b=/host/bin/busybox
		$b echo "user $($b id -u)"; $b touch /x 2>/dev/null || echo read-only
		for f in sh bash dash busybox; do [ ! -e /bin/$f ] || echo "there is /bin/$f"; done
		/host/bin/curl -sS -o /tmp/o https://10.43.0.1/ 2>/dev/null; echo "curl $?"
		TZ=Europe/Berlin $b date -d @0 "+time %H:%M"')
	must_be "in the job image" "$text" $'user 65532\nread-only\ncurl 60\ntime 01:00'
}

# A database is made, started and asked, with what the image has.
check_postgres() {
	# shellcheck disable=SC2016 # expanded in the pod
	said phoenix-postgres "$(pod postgres phoenix-postgres 5432 sh -ec '
		phoenix --version; psql --version; postgres --version; repmgr --version; pgbackrest version; id -u
		initdb -D /var/lib/postgresql/data --locale=C.UTF-8 --icu-locale=de --locale-provider=icu >/tmp/log
		pg_ctl -D /var/lib/postgresql/data -s -w -o "-k /tmp -c shared_preload_libraries=repmgr" start >>/tmp/log || cat /tmp/log
		psql -h /tmp -d postgres -At -c "set jit_above_cost = 0" -c "set timezone = \"Europe/Berlin\"" \
			-c "select to_timestamp(0), upper(repeat(chr(228), 3))" -c "create extension repmgr"
		pg_ctl -D /var/lib/postgresql/data -s -m fast stop')" \
		".*$VERSION.*" 'psql \(PostgreSQL\) .*' 'postgres \(PostgreSQL\) .*' 'repmgr .*' 'pgBackRest .*' 5432 \
		'1970-01-01 01:00:00\+01\|ÄÄÄ' 'CREATE EXTENSION'
}

check_pooler() {
	said phoenix-pooler "$(pod pooler phoenix-pooler 6432 sh -ec '
		phoenix --version; pgpool --version 2>&1; pgbouncer --version; psql --version; id -u')" \
		".*$VERSION.*" '.*pgpool-II.*' 'PgBouncer .*' 'psql \(PostgreSQL\) .*' 6432
}

# K3s knows at its next start that it has them.
check_restart() {
	must_be "archives read by $C" "$(imports "$C")" 1
	on "$C" systemctl restart k3s
	within "$JOIN_LIMIT" "K3s is ready again" well "$C"
	must_be "archives read by $C after a restart" "$(imports "$C")" 1
	check_imported
}

# A new system disk with the same images: the links are there, one of another system is not, nothing is read again.
check_reflash() {
	local old=$A-old.tar folder=/var/lib/rancher/k3s/agent/images
	on "$A" ln -s "/usr/share/threephoenix/images/$old" "$folder/$old"
	lab cut "$A"
	lab reroot "$A"
	lab boot "$A"
	within "$JOIN_LIMIT" "$A is a member" well "$B"
	must_be "links on $A" "$(on "$A" find "$folder" -type l -printf '%l\n')" \
		"$(on "$A" find /usr/share/threephoenix/images -name '*.tar')"
	must_be "archives read by $A" "$(imports "$A" || true)" 0
	check_imported
	check_job
}

case_run() {
	step form; formed
	step imported; check_imported
	figure "$(on "$A" journalctl -u k3s -o cat | grep -o 'Imported 3 images.*threephoenix.* in [^"]*')"
	step 'the job image'; check_job
	step 'the database image'; check_postgres
	step 'the pooler image'; check_pooler
	step 'a restart of K3s'; check_restart
	step 'a re-flash'; check_reflash
}
