# shellcheck shell=bash
# Real PostgreSQL and poolers, in a root file system of their own, for tests in
# namespaces. Who sources this has REPO, DIR (which postgres may enter) and passed
# db_namespace.

# db_namespace COMMAND...: namespace_enter, with DB_ROOT made before and known afterwards.
db_namespace() {
	[ "$(id -u)" = 0 ] || { echo "skipped: $(basename "$1"): root"; exit 0; }
	# shellcheck source=tests/namespace.sh
	. "$REPO/tests/namespace.sh"
	db_ensure
	namespace_enter "$@"
}

say() { printf '%s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# db_ensure: DB_ROOT, and how what is of a database pod is run.
db_ensure() {
	local file
	for file in cache root tools; do
		# shellcheck source=/dev/null
		. "$REPO/image/lib/$file.sh"
	done
	CACHE=$(cache_folder)
	mapfile -t DB_PACKAGES < <(packages_read "$REPO/tests/db/packages")
	DB_ROOT=$CACHE/db-$(printf '%s\n' "${DB_PACKAGES[@]}" | key_of "$TOOLS_SUITE" 1)
	cache_make "${DB_ROOT##*/}" db_make
	DB_USER=$(awk -F: '$1 == "postgres" {print $3}' "$DB_ROOT/etc/passwd")
	DB_GROUP=$(awk -F: '$1 == "postgres" {print $4}' "$DB_ROOT/etc/passwd")
}
db_make() {
	say "making the root file system with PostgreSQL and poolers in $CACHE (once, about a minute)"
	root_make "$TOOLS_DISTRIBUTION" "$TOOLS_SUITE" "$1" "$DB_ROOT.log" "${DB_PACKAGES[@]}"
}

# db_run NAME SCRIPT [WORD...]: SCRIPT by sh as postgres, with $DIR at /test; NAME is where its root's changes lie.
db_run() {
	local name=$1 script=$2
	shift 2
	root_run "$DIR/root-$name" "$DB_ROOT" "$DIR:/test" -- setpriv --reuid="$DB_USER" --regid="$DB_GROUP" --clear-groups \
		env PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin HOME=/test sh -euc "$script" sh "$@"
}

# db_certificates: a CA, a server's certificate that leads to it, and another CA.
db_certificates() {
	local name
	for name in ca other; do
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$name" \
			-keyout "$DIR/$name.key" -out "$DIR/$name.pem" 2>/dev/null
	done
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=server -CA "$DIR/ca.pem" \
		-CAkey "$DIR/ca.key" -keyout "$DIR/server.key" -out "$DIR/server.pem" 2>/dev/null
	chown "$DB_USER:$DB_GROUP" "$DIR/server.key"
}
