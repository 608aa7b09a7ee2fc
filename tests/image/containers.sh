#!/usr/bin/env bash
# The container images, made twice from Debian's packages: what they hold, that
# both are the same bytes, and what a build leaves that went wrong. As root, with
# the distribution's archive in reach; some six minutes. tests/image/containers.sh
# shellcheck disable=SC2016 # for awk and inner shells
set -euo pipefail

REPO=$(realpath "$(dirname "$0")/../..")
# not in a file system that was mounted without devices and programs: images are run from it
DIR=$(mktemp -d "${TMPDIR:-/var/tmp}/phoenix-containers-XXXXXX")
trap 'rm -rf "$DIR"' EXIT
cd "$DIR"
: >err
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$REPO/tests/image/lib.sh"

export TZ=UTC SOURCE_DATE_EPOCH=1700000000 DISTRIBUTION=debian RELEASE=trixie PHOENIX_SOURCE_URL=https://example.org/threephoenix
# whoever works on the tree meanwhile does not disturb
export PHOENIX_REVISION=0123456789abcdef
unset VERSION
CREATED=2023-11-14T22:13:20Z
TAG=$(cat "$REPO/VERSION")
IMAGES=(phoenix phoenix-pooler phoenix-postgres)
ONE=$DIR/one/debian-trixie/containers TWO=$DIR/two/debian-trixie/containers

# make_in FOLDER: as a person does it.
make_in() { PHOENIX_IMAGE_DIR=$DIR/$1 "$REPO/image/build" containers; }
# recipe REPO PRODUCT OUT [DISTRIBUTION SUITE]: only the part that puts images together.
recipe() {
	EPOCH=$SOURCE_DATE_EPOCH VERSION=$TAG bash -euc '
		REPO=$1 product=$2 out=$3
		say() { printf "image: %s\n" "$*" >&2; }; die() { say "$@"; exit 1; }
		for f in cache root tools container; do . "$REPO/image/lib/$f.sh"; done
		CACHE=$(cache_folder)
		containers_make "${4:-debian}" "${5:-trixie}" "$product" "$out"' _ "$@"
}
# refused TEXT WORD...: ends with status 1 and says so.
refused() {
	local text=$1 status=0
	shift
	"$@" >out 2>err || status=$?
	if [ "$status" != 1 ]; then bad "$*: status $status, expected 1"
	elif ! grep -qF -- "$text" err; then bad "$*: does not say \`$text'"
	else ok; fi
}

of() { skopeo inspect "oci-archive:$1" 2>err | jq -r "$2"; }                    # ARCHIVE FILTER
config_of() { skopeo inspect --config "oci-archive:$1" 2>err | jq -r "$2"; }    # ARCHIVE FILTER
label_is() { is "label $2 of $1" "$(of "$ONE/$1.tar" ".Labels[\"org.opencontainers.image.$2\"]")" "$3"; }

# A build that is killed while it compresses leaves nothing under the final name; the next goes on over what it left.
check_killed() {
	local pid
	setsid "$BASH" -c 'PHOENIX_IMAGE_DIR=$1 exec "$2" containers' _ "$DIR/two" "$REPO/image/build" >killed 2>&1 &
	pid=$!
	for _ in {1..3000}; do grep -q 'compresses layer' killed && break; sleep 0.1; done
	kill -KILL -- "-$pid"
	wait "$pid" 2>/dev/null || true
	must 'it was killed in the middle' grep -q 'compresses layer' killed
	must 'something is left of it' test -e "$TWO.tmp"
	must 'but not under the final name' test ! -e "$TWO"
}

check_same() {
	local name
	# another mask, time zone and hour
	(umask 077; TZ=Asia/Tokyo make_in two)
	must 'nothing is left of the one that was killed' test ! -e "$TWO.tmp"
	for name in "${IMAGES[@]}"; do
		is "packages of $name (had the archive an update in between?)" "$(cat "$TWO/$name.packages")" "$(cat "$ONE/$name.packages")"
	done
	must 'the two are the same bytes' diff -r "$ONE" "$TWO"
	must 'as are the times of the files' diff <(cd "$ONE" && find . -printf '%p %m %T@\n' | sort) \
		<(cd "$TWO" && find . -printf '%p %m %T@\n' | sort)
}

check_described() {
	local name
	must 'the checksums are right' sh -c 'cd "$1" && sha256sum --quiet -c SHA256SUMS && ls *.tar | wc -l | grep -qx 4' _ "$ONE"
	for name in "${IMAGES[@]}"; do
		label_is "$name" title "$name"
		label_is "$name" version "$TAG"
		label_is "$name" created "$CREATED"
		label_is "$name" source "$PHOENIX_SOURCE_URL"
		label_is "$name" revision "$PHOENIX_REVISION"
		is "architecture of $name" "$(of "$ONE/$name.tar" .Architecture)" amd64
		is "time of $name" "$(of "$ONE/$name.tar" .Created)" "$CREATED"
		is "what $name starts" "$(config_of "$ONE/$name.tar" '.config.Entrypoint | join(" ")')" /usr/bin/phoenix
		is "$name in the archive of all" "$(of "$(echo "$ONE"/threephoenix-*.tar):localhost/$name:$TAG" .Digest)" \
			"$(of "$ONE/$name.tar" .Digest)"
		is "$name in the layout" "$(skopeo inspect "oci:$ONE/oci:localhost/$name:$TAG" | jq -r .Digest)" "$(of "$ONE/$name.tar" .Digest)"
	done
	is 'user of jobs' "$(config_of "$ONE/phoenix.tar" .config.User)" 65532:65532
	is 'user of databases' "$(config_of "$ONE/phoenix-postgres.tar" .config.User)" 5432:5432
	is 'user of poolers' "$(config_of "$ONE/phoenix-pooler.tar" .config.User)" 6432:6432
	is 'what tells clients of PostgreSQL in databases' "$(config_of "$ONE/phoenix-postgres.tar" '.config.Env[2:] | join(" ")')" \
		'PGPASSFILE=/run/phoenix/pgpass PGHOST=/run/postgresql'
	is 'and elsewhere' "$(for name in phoenix phoenix-pooler; do config_of "$ONE/$name.tar" '.config.Env[2:][]'; done)" ''
}

# Layers that images share are there once.
check_blobs() {
	local sum file
	for file in "$ONE"/oci/blobs/sha256/*; do
		sum=$(sha256sum <"$file")
		is 'a blob has its name' "${sum%% *}" "${file##*/}"
	done
	is 'layers of all images together' "$(of_all '.layers[].digest' | sort -u | wc -l)" 6
	is 'those of the job image, in all' "$(of_all '.layers[].digest' | sort | uniq -c | awk '$1 == 3' | wc -l)" 2
	is 'compressed with' "$(of_all '.layers[].mediaType' | sort -u)" application/vnd.oci.image.layer.v1.tar+zstd
}
of_all() { # FILTER over all manifests
	local sum
	jq -r '.manifests[].digest[7:]' "$ONE/oci/index.json" | while read -r sum; do jq -r "$1" "$ONE/oci/blobs/sha256/$sum"; done
}

# unpacked NAME: its layers over each other in the folder NAME, and in NAME.list what they hold.
unpacked() {
	local sum
	mkdir "$1"
	sum=$(of "$ONE/$1.tar" .Digest)
	jq -r '.layers[].digest[7:]' "$ONE/oci/blobs/sha256/${sum#sha256:}" | while read -r sum; do
		zstd -dcq "$ONE/oci/blobs/sha256/$sum" | tar -x -v -v --numeric-owner --full-time -C "$1"
	done >"$1.list"
}
listed() { awk "$2" "$1.list"; } # NAME PROGRAM

check_contents() {
	local name
	for name in "${IMAGES[@]}"; do
		unpacked "$name"
		is "setuid and setgid files of $name" "$(listed "$name" '$1 ~ /[sS]/')" ''
		is "what everybody may write in $name" "$(listed "$name" '$1 ~ /^[^l].......w/ {print $NF}')" ./tmp/
		is "owners in $name" "$(listed "$name" '{print $2}' | sort -u)" 0/0
		is "times in $name" "$(listed "$name" '{print $4}' | sort -u)" 1970-01-01
		is "no devices in $name" "$(listed "$name" '$1 ~ /^[bcp]/')" ''
		must "$name knows its user" grep -q "^[^:]*:x:$(config_of "$ONE/$name.tar" .config.User):" "$name/etc/passwd"
		is "certificates in $name" "$(($(grep -c '^-----BEGIN' "$name/etc/ssl/certs/ca-certificates.crt") > 100))" 1
		is "where $name has what writes to /var/run write" "$(readlink "$name/var/run")" ../run
		must "$name has time zones" test -s "$name/usr/share/zoneinfo/Europe/Berlin"
		must "$name names what it is" grep -q '^ID=debian' "$name/etc/os-release"
		is "packages that scanners find in $name" "$(cd "$name/var/lib/dpkg/status.d" && for f in *; do
			sed -n 's/^Version: //p' "$f" | sed "s/^/$f /"; done)" "$(awk '{print $1, $2}' "$ONE/$name.packages")"
		says "$name" 'phoenix' "phoenix --version"
	done
	is 'programs in the job image' "$(ls phoenix/usr/bin phoenix/usr/sbin)" "$(printf 'phoenix/usr/bin:\nphoenix\n\nphoenix/usr/sbin:')"
	is 'no licence was left out' "$(awk '{print $1}' "$ONE/phoenix.packages" | while read -r name; do
		[ -e "phoenix/usr/share/doc/$name/copyright" ] || echo "$name"; done)" ''
}

# says NAME TEXT COMMAND: run in the unpacked image as its user, without anything of this machine.
says() {
	local name=$1 user path
	user=$(config_of "$ONE/$name.tar" .config.User)
	path=$(config_of "$ONE/$name.tar" '.config.Env[] | select(startswith("PATH="))')
	# shellcheck disable=SC2086 # words of a command
	must "$name: $3" sh -c 'said=$(env -i "$1" "$5" --userspec="$2" "$3" '"$3"' 2>&1) && echo "$said" | grep -F "$4"' _ \
		"$path" "$user" "$DIR/$name" "$2" "$(command -v chroot)"
}

check_programs() {
	local name=phoenix-postgres command
	for command in 'psql --version' 'postgres --version' 'initdb --version' 'pg_basebackup --version' 'pg_rewind --version'; do
		says "$name" PostgreSQL "$command"
	done
	says "$name" repmgr 'repmgr --version'
	says "$name" pgBackRest 'pgbackrest version'
	says phoenix-pooler pgpool-II 'pgpool --version'
	says phoenix-pooler PgBouncer 'pgbouncer --version'
	says phoenix-pooler 'password encryption utility for Pgpool' 'pg_enc --help'
	says phoenix-pooler 5ebe2294ecd0e0f08eab7690d2a6ee69 'pg_md5 secret'
}

# pod NAME SCRIPT: SCRIPT by the image's own shell as in the cluster: its user, its environment, its root read-only, and
# volumes where the manifest has them. What was started there ends with it.
pod() {
	local name=$1 environment
	mapfile -t environment < <(config_of "$ONE/$name.tar" '.config.Env[]')
	mkdir -p "$name"/{run/phoenix,run/postgresql,var/lib/postgresql}
	unshare --mount --pid --fork --kill-child sh -euc '
		root=$1 user=$2 script=$3
		shift 3
		mount --bind "$root" "$root"
		for volume in run/phoenix run/postgresql var/lib/postgresql; do
			mount -t tmpfs -o "mode=700,uid=${user%:*},gid=${user#*:}" tmpfs "$root/$volume"
		done
		mount --rbind /dev "$root/dev"
		mount -t tmpfs tmpfs "$root/dev/shm"
		mount -o remount,bind,ro "$root"
		exec env -i "$@" "$(command -v chroot)" --userspec="$user" "$root" sh -euc "$script"' sh \
		"$DIR/$name" "$(config_of "$ONE/$name.tar" .config.User)" "$2" "${environment[@]}"
}

# What only databases have, in use: the fence, the settings that the supervisor writes, passwords.
check_database() {
	local name
	for name in "${IMAGES[@]}"; do
		is "the fence in $name" "$(listed "$name" '$NF ~ /fence/ {print $1, $NF}')" \
			"$([ "$name" != phoenix-postgres ] || echo '-rw-r--r-- ./usr/lib/postgresql/17/lib/phoenix_fence.so')"
	done
	is "where repmgr's settings are" "$(readlink phoenix-postgres/etc/repmgr.conf)" /run/phoenix/repmgr.conf
	is 'what is said in a database pod' "$(pod phoenix-postgres "$(database_script)" 2>&1 || echo "status $?")" "$(database_says)"
}
# A permit (phoenix-job/permit.h) for ever and not at all, by who is exempt and who is not; then repmgr.
database_script() {
	cat <<-'EOT'
		ever="\377\377\377\377\377\377\377\177" never="\000\000\000\000\000\000\000\000"
		permit() { printf "PxPermt1$1$never$1" 1<>/run/phoenix/permit; }
		ask() { psql -wqAt -U "$1" -d postgres -c "$2" 2>&1 | head -n 1; }
		umask 077
		cd /run/phoenix
		echo "*:*:*:*:secret" >pgpass
		echo secret >password
		data=/var/lib/postgresql/data
		initdb -D $data -U phoenix --auth=scram-sha-256 --pwfile=password --no-sync >log
		permit $ever
		pg_ctl -D $data -s -w -l server -o "-c listen_addresses= -c shared_preload_libraries=repmgr,phoenix_fence \
			-c phoenix.permit=/run/phoenix/permit -c phoenix.exempt=phoenix" start || { cat server; exit 1; }
		ask phoenix "CREATE ROLE app LOGIN PASSWORD 'secret'"
		ask phoenix "CREATE ROLE repmgr SUPERUSER LOGIN PASSWORD 'secret'"
		ask phoenix "CREATE DATABASE repmgr"
		ask app "SELECT 'app, with a permit'"
		permit $never
		ask app "SELECT 'app, without one'"
		ask phoenix "SELECT 'phoenix, without one'"
		permit $ever
		printf "%s\n" "node_id=1" "node_name='postgres-0'" "data_directory='$data'" "conninfo='user=repmgr dbname=repmgr'" >repmgr.conf
		cd /
		repmgr primary register >/run/phoenix/log 2>&1 || { cat /run/phoenix/log; exit 1; }
		repmgr cluster show --csv 2>&1
		touch /x 2>&1 || true
		pg_ctl -D $data -s -m fast stop
	EOT
}
database_says() {
	cat <<-'EOT'
		app, with a permit
		FATAL:  this server is no longer the primary
		phoenix, without one
		1,0,0
		touch: cannot touch '/x': Read-only file system
	EOT
}

check_size() {
	local file size
	for file in "$ONE"/*.tar; do
		size=$(stat -c %s "$file")
		printf '     %5s MB  %s\n' "$(awk "BEGIN {printf \"%.1f\", $size / 1e6}")" "${file##*/}"
	done
	is 'the job image is at most 15 MB' "$(($(stat -c %s "$ONE/phoenix.tar") <= 15000000))" 1
}

# What goes wrong is told, and what was made before stays as it was.
check_refusals() {
	local before product=$DIR/one/debian-trixie/product
	before=$(cd "$ONE" && find . -type f -exec sha256sum {} + | sort)
	mkdir -p empty half/stage
	cp -r "$product/stage/usr" half/stage/
	refused 'the product is to be installed there first' recipe "$REPO" "$DIR/empty" "$ONE"
	refused 'the product is to be installed there first' recipe "$REPO" "$DIR/none" "$ONE"
	refused 'phoenix_fence.so: the product is to be installed there first' recipe "$REPO" "$DIR/half" "$ONE"
	refused 'there are: debian trixie,ubuntu noble,ubuntu resolute' recipe "$REPO" "$product" "$ONE" debian sid
	PHOENIX_MIRROR=http://127.0.0.1:9/debian refused 'could not be had' recipe "$REPO" "$product" "$ONE"
	mkdir -p changed
	cp -r "$REPO/image" "$REPO/VERSION" changed/
	echo 'libpam0g' >>changed/image/containers/without
	refused 'phoenix-postgres: /usr/lib/postgresql/17/bin/postgres: error while loading shared libraries: libpam.so.0' recipe "$DIR/changed" "$product" "$ONE"
	is 'what was there is as it was' "$(cd "$ONE" && find . -type f -exec sha256sum {} + | sort)" "$before"
	is 'nothing lies beside it' "$(ls "${ONE%/*}")" "$(printf '%s\n' containers containers.lock lock product)"
}

[ "$EUID" = 0 ] || { echo 'containers.sh: root file systems are made as root' >&2; exit 2; }
make_in one
check_described
check_blobs
check_contents
check_programs
check_database
check_size
check_refusals
check_killed
check_same
summary containers
