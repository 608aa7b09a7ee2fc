#!/usr/bin/env bash
# A blank node beside a cluster that is up: what keeps it from joining, with its own disk, real ARP and TLS; only the other node is
# made up (member.c), and systemd. Usage: tests/steps/join.sh DRIVE MEMBER
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/sandbox.sh"
sandbox_enter "$@"
sandbox_root
sandbox_drive "$1"
cp "$2" "$ROOT/tmp/member"
sandbox_dev
disk_new one
sandbox_wire
plug node 192.0.2.11/24 52:54:00:00:00:0a
plug peer 192.0.2.12/24
plug third 192.0.2.13/24 # off; a machine that refuses is a silence that takes no time
plug stranger 192.0.2.99/24
sys_of node
seeds "${DEV[one]}"

# K3s and systemd as far as phoenix asks them: a unit that has a process once it was started.
cat >"$BOX/systemctl" <<'EOF'
#!/bin/sh
case $1 in
start) touch /tmp/k3s-started ;;
show) if [ -e /tmp/k3s-started ]; then echo MainPID=1; else echo MainPID=0; fi ;;
esac
EOF
rm -f "$ROOT/usr/bin/systemctl" # a new file: the machine's is not written to
install -m 755 "$BOX/systemctl" "$ROOT/usr/bin/systemctl"
install -m 755 /dev/null "$ROOT/usr/local/bin/k3s"

IDS=(11111111111111111111111111111111 22222222222222222222222222222222)
API=$ROOT/tmp/api
NODE=api/v1/nodes/phoenix-a
MARK=api/v1/namespaces/kube-system/configmaps/phoenix-cluster
has() { install -D -m 644 /dev/stdin "$API/$1"; } # PATH: the API has what is on standard input
mark() { echo "{\"kind\":\"ConfigMap\",\"data\":{\"id\":\"$1\",\"generation\":\"1\"}}" | has $MARK; }
step() { at node "$DRIVE" step /tmp/seeds/a "$@"; }
started() { [ -e "$ROOT/tmp/k3s-started" ]; }
mac() { ip -n "$1" -j link show eth0 | jq -r '.[0].address'; }

expect 'the disk is made' 'changed|' step disk
expect 'alone it waits' 'waiting|waits for phoenix-b: no answer*' step cluster
echo ok | has v1-k3s/readyz
at peer /tmp/member /tmp/seeds/b "${IDS[0]}" /tmp/api >"$BOX/asked" 2>&1 &
until grep -qs ready "$BOX/asked"; do sleep 0.05; done

# --- an old Node of its name is there
echo '{"kind":"Node","metadata":{"name":"phoenix-a","uid":"1"}}' | has $NODE
ip -n stranger addr add 192.0.2.11/24 dev eth0
expect 'another machine that answers for its address: nothing is removed, nothing joined' \
	"failed|another machine (MAC $(mac stranger)) answers for our address 192.0.2.11*" step cluster
no 'nothing was written to the API' grep -qvE '^GET |^ready' "$BOX/asked"
no 'K3s was not started' started
ip -n stranger addr del 192.0.2.11/24 dev eth0
step cluster >/dev/null 2>&1 || true
yes 'once it has gone, the old Node is worked at' grep -q 'leases/phoenix-rejoin' "$BOX/asked"
rm "$API/$NODE"

# --- the cluster calls itself otherwise than the member does
mark "${IDS[1]}"
expect 'a cluster that calls itself otherwise is not joined' \
	"failed|phoenix-b says that it belongs to cluster ${IDS[0]}, but the cluster it runs in says that it is ${IDS[1]}*" step cluster
no 'K3s was not started then' started
no 'and nothing was recorded' inside grep -q "${IDS[0]}" /var/lib/phoenix/state/record.json
mark "${IDS[0]}"
step cluster >/dev/null 2>&1 || true
yes 'one that agrees is joined: K3s is started' started
expect 'through that member' 'server: https://192.0.2.12:6443' inside cat /etc/rancher/k3s/config.yaml.d/10-phoenix-server.yaml
yes 'and its id recorded' inside grep -q "${IDS[0]}" /var/lib/phoenix/state/record.json
finish
