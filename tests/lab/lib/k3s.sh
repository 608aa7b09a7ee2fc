# shellcheck shell=bash
# What a case can ask of nodes that become, are and stay one K3s cluster. Only
# what a user sees: phoenix status, kubectl, the files that outlive a re-flash.

A=phoenix-a B=phoenix-b C=phoenix-c
# How long three blank nodes may take on two busy cores, and one that comes back.
FORM_LIMIT=${FORM_LIMIT:-300} JOIN_LIMIT=${JOIN_LIMIT:-240}

# seen FROM FILTER: jq over `phoenix status --json' as node FROM tells it.
seen() { on "$1" phoenix status --json 2>/dev/null | jq -r "$2" 2>/dev/null; }
# state_of FROM NODE, voters_of FROM NODE ("phoenix-a phoenix-b"), trouble_of FROM NODE
state_of() { seen "$1" ".nodes[] | select(.name == \"$2\") | .state // \"no answer\""; }
voters_of() { seen "$1" ".nodes[] | select(.name == \"$2\") | [.voters[]?] | sort | join(\" \")"; }
trouble_of() { seen "$1" ".nodes[] | select(.name == \"$2\") | .trouble // \"\""; }
# says NODE: the line that `lab up' shows: state, step, text.
says() {
	on "$1" cat /run/phoenix/status.json 2>/dev/null |
		jq -r '[.state, .step, .text] | map(select(. != null and . != "")) | join(": ")' 2>/dev/null || true
}
is_ready() { [ "$(says "$1")" = ready ]; }
# tells NODE TEXT...: what it says now contains each TEXT.
tells() {
	local line text
	line=$(says "$1")
	for text in "${@:2}"; do [[ $line == *"$text"* ]] || return 1; done
}
# shown FROM NODE TEXT: the same as another node's `phoenix status' shows it.
shown() {
	[[ $(seen "$1" ".nodes[] | select(.name == \"$2\") | .trouble // .progress.text") == *"$3"* ]]
}

state_is() { [ "$(state_of "$1" "$1")" = "$2" ]; }
voters_are() { [ "$(voters_of "$1" "$1")" = "${*:2}" ]; }
# Everything is well as a user would ask: three members, three voters, ready.
well() { on "$1" phoenix status >/dev/null 2>&1; }
api_answers() { on "$1" kubectl get --raw /readyz --request-timeout=3s >/dev/null 2>&1; }
api_writes() {
	on "$1" sh -c 'kubectl create configmap "lab-$$" --request-timeout=5s >/dev/null &&
		kubectl delete configmap "lab-$$" --request-timeout=5s >/dev/null' 2>/dev/null
}
# nodes_ready FROM COUNT: that many Nodes are Ready.
nodes_ready() {
	[ "$(on "$1" kubectl get nodes --request-timeout=5s -o json 2>/dev/null |
		jq '[.items[].status.conditions[] | select(.type == "Ready" and .status == "True")] | length')" = "$2" ]
}
# k3s_runs NODE, k3s_restarts NODE
k3s_runs() { [ "$(on "$1" systemctl show -P MainPID k3s)" != 0 ]; }
k3s_restarts() { on "$1" systemctl show -P NRestarts k3s; }
# aside NODE: how many databases are kept aside on its disk.
aside() { on "$1" sh -c 'ls -d /var/lib/rancher/k3s/server/db-aside-* 2>/dev/null | wc -l'; }
record() { on "$1" cat /var/lib/phoenix/state/record.json | jq -r ".$2"; }
# mark NODE KEY: the cluster's own word, through that node. K3s ends and starts
# again by itself some time after it has lost its quorum: asked for a minute.
mark() { wait_for 60 mark_read "$@" >/dev/null; mark_read "$@"; }
mark_read() { on "$1" kubectl -n kube-system get configmap phoenix-cluster -o "jsonpath={.data.$2}" 2>/dev/null; }

# one_cluster NODE...: these have one and the same record, which the cluster
# confirms, and each lists the same three voters.
one_cluster() {
	local n id
	id=$(mark "$1" id)
	[[ $id =~ ^[0-9a-f]{32}$ ]] || fail "ConfigMap phoenix-cluster has no id: \`$id'"
	for n in "$@"; do
		must_be "cluster on the disk of $n" "$(record "$n" cluster)" "$id"
		must_be "the disk of $n was a voter" "$(record "$n" formed)" true
		must_be "generation on the disk of $n" "$(record "$n" generation)" "$(mark "$1" generation)"
		must_be "promise of $n" "$(record "$n" promise.node)" -1
		must_be "voters as $n says" "$(voters_of "$n" "$n")" "$A $B $C"
	done
	printf '%s\n' "$id"
}

# whole LIMIT [FROM]: everybody ready in one cluster within LIMIT; prints its id.
whole() {
	local from=${2:-$A} n
	within "$1" "three members, each ready" well "$from"
	within 60 "three Nodes are Ready" nodes_ready "$from" 3
	for n in "${NODES[@]}"; do within 30 "$n is ready" is_ready "$n"; done
	one_cluster "${NODES[@]}"
}

# formed: the usual beginning: three blank nodes become a cluster.
formed() {
	lab up --no-wait
	whole "$FORM_LIMIT"
}

# reflash NODE: pulled, flashed with an empty data disk, switched on.
reflash() {
	lab cut "$1"
	lab wipe "$1"
	lab boot "$1"
}
# stays SECONDS WHAT COMMAND...: an expectation that must hold all that time.
stays() {
	local end=$((SECONDS + $1)) what=$2
	shift 2
	while [ "$SECONDS" -lt "$end" ]; do
		"$@" || fail "$what: no longer so: $*"
		sleep 1
	done
}
# cost NODE: what the daemon of NODE has used since it was started: CPU of itself
# and of what it ran, and the most memory it ever had.
cost() {
	on "$1" sh -c 'p=$(systemctl show -P MainPID phoenix-firstboot)
		awk "{print (\$14 + \$15 + \$16 + \$17) * 10 \" ms CPU\"}" "/proc/$p/stat"
		awk "/^VmHWM/{print \$2 \" kB\"}" "/proc/$p/status"' | paste -sd , | sed 's/,/, /'
}
# word NODE COMMAND...: an operator's word, the name of the cluster given with it.
word() { on "$1" phoenix "${@:2}" --confirm railiance; }
# A unit that never starts here (iscsid without its kernel part) takes 90 s to say so.
nothing_left() { on "$1" phoenix firstboot --plan >/dev/null; }

# asks FROM TO JSON: what node TO answers when it is asked with FROM's certificate
# from FROM's address: the length in four bytes, then JSON.
asks() {
	local n=${#3} head
	printf -v head '\\x%02x' $((n >> 24)) $((n >> 16 & 255)) $((n >> 8 & 255)) $((n & 255))
	# certificate and key of one node: what stands below its name
	awk -v name="    $1:" '/^ ? ? ? ?[^ ]/ {on = $0 == name} on && /^        / {sub(/^ +/, ""); print}' \
		"$STATE/cluster/secrets.yaml" | on "$1" sh -c 'umask 077; cat >/run/lab-peer.pem'
	printf "$head%s" "$3" | on "$1" timeout 10 openssl s_client -quiet -verify_quiet -tls1_3 \
		-cert /run/lab-peer.pem -key /run/lab-peer.pem -connect "${NODE_ADDRESS[$2]}:6440" 2>/dev/null | tail -c +5
}
# asked_promise TO FROM FORMATION: what node TO answers to FROM's request to promise that
# formation. promises, refuses: so it was granted, or not, and then with a reason.
asked_promise() {
	local digest
	digest=$(asks "$2" "$1" '{"v": 1, "kind": "look", "generation": 0}' | jq -r .digest)
	asks "$2" "$1" "$(jq -cn --arg digest "$digest" --arg id "$3" \
		'{v: 1, kind: "promise", digest: $digest, formation: $id, cluster: $id, generation: 9}')"
}
promises() { asked_promise "$@" | jq -e .granted >/dev/null; }
refuses() { asked_promise "$@" | jq -e '.granted == false and .why != ""' >/dev/null; }
