# shellcheck shell=bash
# What a lab case can use. A case is a file cases/NAME.sh:
#
#	# needs: k3s product      parts without which it is skipped (or nothing)
#	# list: short             short: part of `make check' too; full: all else
#	# limit: 300              seconds it may take (default 900)
#	case_run() { ... }
#
# It starts without a lab and need not clean up. The first command that fails
# ends it (set -e); everything it prints is its log.

# shellcheck source=common.sh
. "$LAB_HOME/lib/common.sh"
# shellcheck source=base.sh
. "$LAB_HOME/lib/base.sh"
# shellcheck source=cgroup.sh
. "$LAB_HOME/lib/cgroup.sh"
# shellcheck source=k3s.sh
. "$LAB_HOME/lib/k3s.sh"
places_set

lab() { "$LAB_HOME/lab" "$@"; }

# on NODE COMMAND...
on() { lab exec "$1" -- "${@:2}"; }

# figure TEXT: a line that is shown for a case that passed, too.
figure() { printf '* %s\n' "$*"; }
step() { printf '== %s (%d s)\n' "$*" "$SECONDS"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# must WHAT COMMAND... | must_not WHAT COMMAND...: an expectation with a name.
must() { local what=$1; shift; "$@" || fail "$what: $* (status $?)"; }
must_not() { local what=$1; shift; ! "$@" || fail "$what: $* succeeded"; }
must_be() { [ "$2" = "$3" ] || fail "$1: is \`$2', expected \`$3'"; }

# within SECONDS WHAT COMMAND...: an expectation that may take a while.
within() {
	local limit=$1 what=$2
	shift 2
	wait_for "$limit" "$@" || fail "$what: not within $limit s: $*"
}

reaches() { on "$1" ping -q -c 1 -W 1 "${NODE_ADDRESS[$2]}" >/dev/null; }
booted() { on "$1" systemctl is-active --quiet multi-user.target; }
seeded() { on "$1" cloud-init status | grep -q '^status: done'; }
boot_id() { on "$1" cat /proc/1/stat | awk '{print $22}'; }
