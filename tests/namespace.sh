# shellcheck shell=bash
# A machine's network and processes for one test, so that nothing of it is left
# behind, and nothing of it is heard outside.

# namespace_enter COMMAND...: runs it in namespaces of its own, once. No archive is in reach from there: what a test
# downloads it has to have before.
namespace_enter() {
	[ "${IN_NAMESPACE:-}" = 1 ] ||
		IN_NAMESPACE=1 exec unshare --net --mount --pid --fork --kill-child --mount-proc "$@"
}
