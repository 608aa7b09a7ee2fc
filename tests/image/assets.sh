#!/usr/bin/env bash
# Downloads against a web server with faults (serve) and against registries, in a network of its own.
# Usage: tests/image/assets.sh [PART...]
# shellcheck source-path=SCRIPTDIR
set -eu
. "$(dirname "$0")/../steps/sandbox.sh"
sandbox_enter "$@"
HERE=$(cd "$(dirname "$0")" && pwd)
ASSETS=${ASSETS:-$HERE/../../image/assets}
unset PHOENIX_ASSETS_MAX_MB PHOENIX_ASSETS_GITHUB http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY
ip link set lo up
WORK=$(mktemp -d)
mount -t tmpfs assets "$WORK"
trap 'umount -l "$WORK"; rmdir "$WORK"' EXIT
mkdir "$WORK/www"
cd "$WORK"
export PHOENIX_CACHE=$WORK/cache PHOENIX_ASSETS_LOCK=$WORK/table
export PHOENIX_ASSETS_TRIES=2 PHOENIX_ASSETS_PAUSE=0 PHOENIX_ASSETS_STALL=5 PHOENIX_ASSETS_LIMIT=20
# an address behind which nobody is
ip link add void type bridge
ip addr add 192.0.2.1/24 dev void
ip link set void up
WEB=http://127.0.0.1:8000
systemd-socket-activate --accept --inetd --listen 127.0.0.1:8000 "$HERE/serve" "$WORK" 2>/dev/null &

sum() { sha256sum <"$1" | cut -c1-64; }
head -c 100000 /dev/urandom >f-1
cp f-1 www/
head -c 100000 /dev/urandom >www/g-1
head -c 1000 /dev/urandom >www/s-1 # curl takes the mean of some seconds: a large half would hide the silence
F=$(sum www/f-1) G=$(sum www/g-1) S=$(sum www/s-1)
NOBODY=$(printf '%064d' 0)

# table LINE...: the lock file of the next calls; fresh: nothing in the cache, nothing asked
table() { printf '%s\n' '# a table' '' "$@" >"$PHOENIX_ASSETS_LOCK"; }
fresh() { rm -rf "$PHOENIX_CACHE" "$WORK/log"; : >"$WORK/log"; }
# f HOW [SUM] [FILE]: the entry `f', served so
f() { fresh; table "file f 1 ${2:-$F} $WEB/$1/${3:-f-1}"; }

# run ARGUMENT...: SAID is all that it printed, STATUS its end (124: it would have gone on for ever)
run() {
	STATUS=0
	SAID=$(timeout 30 env PATH="${TOOLS:-$PATH}" "$ASSETS" "$@" 2>&1) || STATUS=$?
}
ends() { same "$1" "$2" "$STATUS" || true; [ "$STATUS" = "$2" ] || echo "$SAID"; } # NAME STATUS
# tells NAME PATTERN...: each in what it printed
tells() {
	local name=$1 pattern
	shift
	for pattern in "$@"; do
		# shellcheck disable=SC2254 # a pattern is meant
		case $SAID in *$pattern*) ;; *) bad "$name" "no \`$pattern' in: $SAID"; return ;; esac
	done
	ok "$name"
}
asked() { same "$1" "$2" "$(tr '\n' ',' <"$WORK/log")"; } # NAME REQUESTS
at() { printf '%s/assets/%s/%s' "$PHOENIX_CACHE" "$1" "$2"; } # SUM NAME
placed() { yes "$1" cmp -s "$WORK/www/${2:-f-1}" "$(at "${3:-$F}" "${4:-f}")"; } # NAME [FILE SUM ENTRY]
nothing() { same "$1" '' "$(find "$PHOENIX_CACHE/assets" -type f ! -path '*/part/*')"; } # NAME: nothing is taken for an asset
no_part() { same "$1" '' "$(find "$PHOENIX_CACHE/assets/part" -mindepth 1 ! -name '*.lock')"; }
till() { local n=0; until "$@"; do n=$((n + 1)); [ "$n" -lt 100 ] || return 1; sleep 0.05; done; }
till bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000' 2>/dev/null

plain_cases() {
	f plain
	run path f
	ends 'path: not there yet' 1
	same '… in one line' 1 "$(wc -l <<<"$SAID")"
	run fetch
	ends 'a file' 0
	placed 'it is placed under its checksum'
	same 'everybody may run it, nobody write it' 555 "$(stat -c %a "$(at "$F" f)")"
	no_part 'nothing is left beside it'
	run path f
	same 'path: the file, alone' "$(at "$F" f)" "$SAID"
	run fetch f
	ends 'once more' 0
	asked 'is not downloaded again' '/plain/f-1 ,'
	chmod u+w "$(at "$F" f)"
	printf x >>"$(at "$F" f)"
	run path f
	ends 'path: a damaged file is none' 1
	run fetch
	ends 'a damaged file' 0
	tells '… is told' 'is damaged'
	placed '… and fetched anew'
	chmod u+w "$(at "$F" f)"
	printf x >>"$(at "$F" f)"
	rm www/f-1
	run fetch
	ends 'a damaged file that cannot be had again' 1
	nothing '… is removed'
	cp f-1 www/
	f moved
	run fetch
	ends 'a redirection' 0
	f busy
	run fetch
	ends 'a server that is busy once' 0
}

wrong_cases() {
	f plain "$NOBODY"
	table "file f 1 $NOBODY $WEB/plain/f-1" "file g 1 $G $WEB/plain/g-1"
	run fetch
	ends 'a wrong checksum' 1
	tells '… names both sums, the address, the file' "expected $NOBODY" "got      $F" "$WEB/plain/f-1" "$PHOENIX_CACHE/assets/part/$NOBODY"
	nothing '… is no asset'
	no_part '… is removed'
	asked '… stops: nothing more is fetched, nothing tried twice' '/plain/f-1 ,'
	f plain "$NOBODY" none-1
	table "file f 1 $NOBODY $WEB/plain/none-1" "file g 1 $G $WEB/plain/g-1"
	run fetch
	ends 'a file that is not there' 1
	tells '… is told' "$WEB/plain/none-1" 404
	asked '… is asked for once, the next entry is fetched' '/plain/none-1 ,/plain/g-1 ,'
	fresh
	table "file f 1 - $WEB/plain/f-1" "file g 1 $G $WEB/plain/g-1"
	run fetch
	ends 'an entry that nobody has fetched' 1
	tells '… is named, with what to do' 'f: table:3 has no checksum' "fetch $WEB/plain/f-1, compare"
	asked '… is not fetched, the other is' '/plain/g-1 ,'
	placed '… and placed' g-1 "$G" g
	run path f
	ends 'path: no checksum' 1
	tells '… is told' 'has no checksum at table:3'
	same '… in one line' 1 "$(wc -l <<<"$SAID")"
}

continued_cases() {
	echo 30000 >bytes
	f cut
	run fetch
	ends 'a connection that is cut three times (and two tries)' 0
	asked 'it is continued each time' '/cut/f-1 ,/cut/f-1 30000,/cut/f-1 60000,/cut/f-1 90000,'
	placed 'to the right file'
	f cutwhole
	run fetch
	ends 'a server that cuts and continues nothing' 1
	tells '… is told' 'not continued by the server'
	asked '… gets one try from zero' '/cutwhole/f-1 ,/cutwhole/f-1 30000,/cutwhole/f-1 ,/cutwhole/f-1 30000,'
	nothing '… brings no asset'
	# what an earlier run left
	f whole
	part www/f-1 50000
	run fetch
	ends 'a server that ignores the range' 0
	asked '… is asked for the whole' '/whole/f-1 50000,/whole/f-1 ,'
	placed '… and that is placed'
	f plain
	part www/g-1 50000
	run fetch
	ends 'a file that was replaced at the server' 0
	asked '… is fetched from zero' '/plain/f-1 50000,/plain/f-1 ,'
	placed '… and placed'
	f plain
	part www/g-1 100000
	run fetch
	ends 'a part that is longer than the file (416)' 0
	asked '… is fetched from zero' '/plain/f-1 100000,/plain/f-1 ,'
	f plain "$NOBODY"
	part www/g-1 50000
	run fetch
	ends 'wrong from zero, too' 1
	tells '… is a wrong checksum' "got      $F"
	asked '… after one more try' '/plain/f-1 50000,/plain/f-1 ,'
	f plain
	part www/f-1 100000
	run fetch
	placed 'a part that was whole already is placed'
	asked '… without a question' ''
}
# part FILE BYTES: an earlier run of the entry got so far
part() {
	local name
	name=$(sed -n 's/^file f 1 \([0-9a-f]*\) .*/\1/p' table)
	mkdir -p "$PHOENIX_CACHE/assets/part"
	head -c "$2" "$1" >"$PHOENIX_CACHE/assets/part/$name"
}

slow_cases() {
	f plain
	table "file f 1 $F http://192.0.2.9/f-1"
	PHOENIX_ASSETS_STALL=1 PHOENIX_ASSETS_TRIES=1 run fetch
	ends 'a server that is not there' 1
	tells '… is given up soon' '[Tt]ime*out'
	f silent
	PHOENIX_ASSETS_STALL=1 PHOENIX_ASSETS_TRIES=1 run fetch
	ends 'a server that says nothing' 1
	f stall "$S" s-1
	PHOENIX_ASSETS_STALL=1 PHOENIX_ASSETS_TRIES=1 run fetch
	ends 'a server that falls silent' 1
	tells '… is told' 'tries in a row that brought nothing: 1'
	asked '… after it was continued' '/stall/s-1 ,/stall/s-1 500,'
	f endless "$F"
	PHOENIX_ASSETS_MAX_MB=1 run fetch
	ends 'a server that never ends' 1
	tells '… is told' 'larger than 1 MiB'
	yes '… has not filled the disk' test "$(du -sm "$PHOENIX_CACHE" | cut -f1)" -le 2
	f cut
	echo 1 >bytes
	PHOENIX_ASSETS_LIMIT=1 run fetch
	ends 'a byte a connection' 1
	tells '… is given up by the time' 'not done after 1 s'
}

together_cases() {
	local one two a=0 b=0
	f slow
	"$ASSETS" fetch >one 2>&1 & one=$!
	"$ASSETS" fetch >two 2>&1 & two=$!
	wait "$one" || a=$?
	wait "$two" || b=$?
	same 'two runs at once: both are content' '0 0' "$a $b"
	asked '… with one download' '/slow/f-1 ,'
	SAID=$(cat one two)
	tells '… and one says that it waits' 'another run is at it'
	placed '… for the right file'
	# killed in the middle
	f stall
	PHOENIX_ASSETS_STALL=20 "$ASSETS" fetch >/dev/null 2>&1 & one=$!
	till part_has 40000
	kill -9 "$one"
	wait "$one" 2>/dev/null || true
	nothing 'killed in the middle: no asset'
	table "file f 1 $F $WEB/plain/f-1"
	PHOENIX_ASSETS_LIMIT=3 run fetch
	ends '… and then again: the download died with its run' 0
	yes '… and is continued' grep -qxE '/plain/f-1 4[0-9]{4}' log
	placed '… to the right file'
}
part_has() { [ "$(stat -c %s "$PHOENIX_CACHE/assets/part/$F" 2>/dev/null || echo 0)" -ge "$1" ]; } # BYTES

disk_cases() {
	f plain
	mkdir "$PHOENIX_CACHE"
	mount -t tmpfs -o size=64k full "$PHOENIX_CACHE"
	run fetch
	ends 'a full disk' 1
	tells '… is told' 'is the disk full?'
	nothing '… has no asset'
	mount -o remount,size=1m "$PHOENIX_CACHE"
	run fetch
	ends '… and with room' 0
	yes '… it is continued' grep -qE '^/plain/f-1 [1-9]' log
	placed '… to the right file'
	umount "$PHOENIX_CACHE"
	rm -rf "$PHOENIX_CACHE"
	PHOENIX_CACHE=/proc/none run fetch
	ends 'a cache that cannot be made' 1
	tells '… is told' 'cannot write below /proc/none/assets'
}

# mistake NAME LINE TOLD: a line that is refused
mistake() {
	table "$2"
	run fetch
	ends "$1: status" 2
	tells "$1" "table:3: " "$3" '; allowed: '
}
table_cases() {
	local ok="file f 1 $F $WEB/plain/f-1" image="image i 1 sha256:$F registry.example.org/i"
	fresh
	mistake 'a word too few' "file f 1 $F" '4 words'
	mistake 'a word too many' "$ok # the best" '8 words'
	mistake 'a kind' "${ok/file/folder}" "kind \`folder'"
	mistake 'a name' "${ok/ f / ../f }" "name \`../f'"
	mistake 'a version' "file f -1 $F $WEB/plain/f-1" "version \`-1'"
	mistake 'a short checksum' "file f 1 abc $WEB/plain/f-1" "checksum \`abc'"
	mistake 'a checksum in capitals' "file f 1 ${F^^}A $WEB/plain/f-1" "checksum \`"
	mistake 'a digest for a file' "file f 1 sha256:$F $WEB/plain/f-1" "checksum \`sha256:"
	mistake 'an address' "file f 1 $F ftp://example.org/f-1" "url \`ftp://"
	mistake 'an address with a password' "file f 1 $F https://me:secret@example.org/f-1" "url \`https://me"
	mistake 'another version in the address' "file f 2 $F https://example.org/f-1" 'without the version 2'
	mistake 'a carriage return' "$ok"$'\r' 'carriage return'
	mistake 'a sum for an image' "${image/sha256:/}" "checksum \`"
	mistake 'a tag in a reference' "$image:1" "reference \`"
	mistake 'no registry in a reference' "image i 1 sha256:$F library/i" "reference \`library/i'"
	mistake 'a version that is no tag' "image i 1+1 sha256:$F registry.example.org/i" "version \`1+1'"
	table "$ok" "$ok" 'nonsense' "${ok/file f/folder h}" "$image"
	run fetch
	ends 'several mistakes' 2
	tells 'a name that stands twice' "table:4: name \`f' stands at table:3 already"
	same '… all told at once, with line and what is allowed' 'table:4 table:5 table:6' \
		"$(sed -n 's/^\(table:[0-9]*\): .*; allowed: .*/\1/p' <<<"$SAID" | paste -sd ' ')"
	run path f
	ends '… for path, too' 2
	asked '… and nothing is fetched' ''
	table "$ok"
	run fetch f nobody neither
	ends 'a name that is not there' 2
	tells '… is told, each' "no entry \`nobody'; there are: f" "no entry \`neither'"
	run path nobody
	ends 'path: a name that is not there' 2
	asked '… and nothing is fetched' ''
	run path
	ends 'path without a name' 2
	run path f f
	ends 'path with two' 2
	run names file
	ends 'the names of a kind' 0
	same 'the names of a kind' f "$SAID"
	run names image
	same 'none of another kind' '' "$SAID"
	run names disk
	ends 'the names of no kind' 2
	printf %s "$ok" >table
	run fetch
	placed 'a last line without its end counts'
	: >table
	run fetch
	ends 'an empty table' 0
	rm table
	run fetch
	ends 'no table' 2
	run fetsch
	ends 'a command that is not there' 2
	PHOENIX_ASSETS_TRIES=many run fetch
	ends 'a setting that is no number' 2
	PHOENIX_ASSETS_LOCK='' run path k3s
	no 'the table of this tree has no mistake' test "$STATUS" = 2
}

# release TAG PRERELEASE DRAFT FILE
release() {
	jq -n --arg tag "$1" --argjson pre "$2" --argjson draft "$3" --arg file "$4" '{ tag_name: $tag, prerelease: $pre, draft: $draft,
		assets: [{ browser_download_url: ("https://github.com/acme/tool/releases/download/\($tag | gsub("[+]"; "%2B"))/\($file)") }] }'
}
update_cases() {
	local url=https://github.com/acme/tool/releases/download list='www/repos/acme/tool/releases' slow
	export PHOENIX_ASSETS_GITHUB=$WEB/plain
	mkdir -p www/repos/acme/tool
	{ release v1.9.9+k3s1 false false tool; release v1.10.0+k3s1 false false tool; release v1.9.10+k3s2 false false tool
	  release v1.10.1-rc1+k3s1 false false tool; release v1.10.2+k3s1 true false tool; release v1.10.3+k3s1 false true tool
	  release v1.4.0+k3s1 false false tool; } | jq -s . >$list
	fresh
	table "file tool v1.9.2+k3s1 $F $url/v1.9.2%2Bk3s1/tool" '# kept' "file f 1 $F $WEB/plain/f-1"
	cp table before
	run update
	ends 'a newer version' 0
	tells '… is the newest by number, released, not a prerelease' 'tool: v1.9.2+k3s1 -> v1.10.0+k3s1'
	tells '… as a line of the table, without checksum' "file tool v1.10.0+k3s1 - $url/v1.10.0%2Bk3s1/tool"
	tells '… and who cannot be asked is told' 'f: no release at github.com'
	yes '… changes nothing' cmp table before
	chmod 640 table
	run update --write tool
	ends 'written' 0
	same '… is that line alone' "# a table,,file tool v1.10.0+k3s1 - $url/v1.10.0%2Bk3s1/tool,# kept,file f 1 $F $WEB/plain/f-1" \
		"$(paste -sd, table)"
	same '… with the mode of the file' 640 "$(stat -c %a table)"
	cp before table
	PHOENIX_ASSETS_GITHUB=$WEB/slow "$ASSETS" update --write tool >said 2>&1 & slow=$!
	till grep -q '^/slow/' log
	echo '# mine' >>table
	STATUS=0
	wait "$slow" || STATUS=$?
	SAID=$(cat said)
	ends 'a table that somebody else changes meanwhile' 1
	tells '… is told' 'was changed meanwhile: nothing written'
	same '… and left alone' "$(cat before; echo '# mine')" "$(cat table)"
	table "file tool v1.10.0+k3s1 - $url/v1.10.0%2Bk3s1/tool"
	run update tool
	ends 'the newest' 0
	tells '… is told to be it' 'tool: v1.10.0+k3s1 is the newest'
	table "file tool v1.11.0+k3s1 $F $url/v1.11.0%2Bk3s1/tool"
	run update
	tells 'an older version is not proposed' 'v1.11.0+k3s1 is the newest'
	{ release v1.10.0 false false tool-1.10.0.tar.gz; } | jq -s . >$list
	table "file tool 1.9.0 $F $url/v1.9.0/tool-1.9.0.tar.gz"
	run update
	tells 'a version without its v' "file tool 1.10.0 - $url/v1.10.0/tool-1.10.0.tar.gz"
	{ release v1.10.0 false false another; } | jq -s . >$list
	run update
	ends 'a release without the file' 1
	tells '… is told' "v1.10.0 is there, but without $url/v1.10.0/tool-1.10.0.tar.gz"
	echo '<html>' >$list
	run update
	ends 'an answer that is no list' 1
	tells '… is told' 'no list of releases'
	rm $list
	run update
	ends 'no such project' 1
	tells '… is told' "cannot ask $WEB/plain/repos/acme/tool/releases" 404
	PHOENIX_ASSETS_GITHUB=http://127.0.0.1:1 run update
	ends 'no network' 1
	tells '… is told' 'cannot ask http://127.0.0.1:1/' 'connect'
}

# On a machine without skopeo, without curl.
missing_cases() {
	local program
	mkdir bin
	for program in bash readlink realpath sha256sum cut stat mkdir flock rm chmod mv setpriv curl env; do
		ln -s "$(command -v "$program")" bin/
	done
	f plain
	TOOLS=$WORK/bin run fetch
	ends 'with few programs' 0
	table "image i 1 sha256:$F registry.example.org/i"
	TOOLS=$WORK/bin run fetch
	ends 'an image without skopeo' 1
	tells '… names the package' 'install the package skopeo'
	rm bin/curl
	f plain
	TOOLS=$WORK/bin run fetch
	ends 'a file without curl' 1
	tells '… names the package' 'install the package curl'
}

# image_make FOLDER FILE: www/FOLDER as a registry serves it: an image whose layer holds FILE, and a list of which it is one
image_make() {
	local layer config docker=application/vnd.docker
	mkdir -p "www/$1/blobs" "www/$1/manifests"
	tar --mtime=@0 -C www -cf layer "$2"
	layer=$(sum layer)
	mv layer "www/$1/blobs/sha256:$layer"
	printf '{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$layer" >config
	config=$(sum config)
	jq -jn --arg t $docker --arg c "$config" --arg l "$layer" '{ schemaVersion: 2, mediaType: "\($t).distribution.manifest.v2+json",
		config: { mediaType: "\($t).container.image.v1+json", size: $csize, digest: "sha256:\($c)" },
		layers: [{ mediaType: "\($t).image.rootfs.diff.tar", size: $lsize, digest: "sha256:\($l)" }] }' \
		--argjson csize "$(stat -c %s config)" --argjson lsize "$(stat -c %s "www/$1/blobs/sha256:$layer")" >manifest
	mv config "www/$1/blobs/sha256:$config"
	DIGEST=$(sum manifest) LAYER=$layer
	jq -jn --arg t $docker --arg d "$DIGEST" --argjson size "$(stat -c %s manifest)" '{ schemaVersion: 2,
		mediaType: "\($t).distribution.manifest.list.v2+json", manifests: [{ mediaType: "\($t).distribution.manifest.v2+json",
		digest: "sha256:\($d)", size: $size, platform: { os: "linux", architecture: "amd64" } }] }' >list
	LIST=$(sum list)
	mv manifest "www/$1/manifests/sha256:$DIGEST"
	mv list "www/$1/manifests/sha256:$LIST"
}

registry_setup() {
	mkdir -p containers www/acme/tool/tags
	cp -r /etc/containers/. containers/
	printf '[[registry]]\nlocation="127.0.0.1:%s"\ninsecure=true\n' 8000 8002 5000 >containers/registries.conf
	mount --bind containers /etc/containers
	image_make acme/tool g-1
	OTHER=$DIGEST
	image_make acme/tool f-1
	echo '{"name":"acme/tool","tags":["1.9","1.10","latest","1.11-alpine","20260101","1.10-rc1","1.2"]}' >www/acme/tool/tags/list
	systemd-socket-activate --listen 127.0.0.1:8002 sleep 60 2>/dev/null &
}

# The same image in a registry that people use; skipped by name where there is none.
registry_real() {
	local folder=www/acme/tool tag
	command -v docker-registry >/dev/null || { echo 'skipped: images of a real registry: no docker-registry'; return 1; }
	printf '%s\n' 'version: 0.1' "storage: { filesystem: { rootdirectory: $WORK/registry } }" 'http: { addr: "127.0.0.1:5000" }' \
		'log: { level: error }' >registry.yml
	docker-registry serve registry.yml >/dev/null 2>&1 &
	till curl -sfo /dev/null http://127.0.0.1:5000/v2/
	# as skopeo keeps an image in a folder
	mkdir pushed
	for tag in "$folder"/blobs/*; do cp "$tag" "pushed/${tag##*:}"; done
	cp "$folder/manifests/sha256:$DIGEST" pushed/manifest.json
	echo 'Directory Transport Version: 1.1' >pushed/version
	for tag in 1.9 1.10 latest 1.11-alpine 20260101 1.10-rc1 1.2; do
		skopeo copy -q --preserve-digests dir:pushed "docker://127.0.0.1:5000/acme/tool:$tag"
	done
	curl -sf -o /dev/null -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.list.v2+json' \
		--data-binary "@$folder/manifests/sha256:$LIST" "http://127.0.0.1:5000/v2/acme/tool/manifests/list"
}

image_cases() { # REGISTRY
	local path reference=$1/acme/tool
	fresh
	path=$(at "$DIGEST" tool.tar)
	table "image tool 1.9 sha256:$DIGEST $reference"
	run fetch
	ends "$1: an image" 0
	no_part '… nothing is left beside it'
	run path tool
	same '… its path' "$path" "$SAID"
	same '… it is the one of the digest' "sha256:$DIGEST" "$(skopeo inspect "oci-archive:$path" | jq -r .Digest)"
	same '… with the name that it has in a cluster' "$reference:1.9" \
		"$(tar -xOf "$path" index.json | jq -r '.manifests[].annotations["org.opencontainers.image.ref.name"]')"
	run fetch
	tells '… is not read again' 'tool 1.9: there: '
	table "image tool 1.9 sha256:$LIST $reference" "file f 1 $F $WEB/plain/f-1"
	run fetch
	ends 'a digest of a list of images' 1
	tells '… names both' "expected sha256:$LIST" "got      sha256:$DIGEST" "$reference"
	no '… is no asset' test -e "$(at "$LIST" tool.tar)"
	no_part '… is removed'
	no '… stops' test -e "$(at "$F" f)"
	table "image tool 1.9 sha256:$NOBODY $reference"
	run fetch
	ends 'an image that is not there' 1
	tells '… is told' "docker://$reference@sha256:$NOBODY"
	table "image tool 1.9 - $reference"
	run fetch
	ends 'an image that nobody has fetched' 1
	tells '… is named, with what to do' 'tool: table:3 has no checksum' "docker://$reference:1.9" 'instead of -'
	run update
	ends 'its newer versions' 0
	tells '… of the same form, by number' 'tool: 1.9 -> 1.10' "image tool 1.10 - $reference"
}

# archive NAME STATUS COMMAND...: whether what COMMAND makes of the archive is taken for the image
archive() {
	local name=$1 status=$2
	shift 2
	chmod u+w "$(at "$DIGEST" tool.tar)"
	"$@" >"$(at "$DIGEST" tool.tar)"
	run path tool
	ends "$name" "$status"
}
flipped() {
	local half=$(($(stat -c %s sound) / 2))
	head -c "$half" sound
	printf xxxx
	tail -c "+$((half + 5))" sound
}
shortened() { head -c -60000 sound; }
# packed COMMAND...: of the same parts, after COMMAND was run among them (as GNU tar's --delete it would damage the rest)
packed() {
	rm -rf parts
	mkdir parts
	tar -C parts -xf sound
	(cd parts && "$@" && tar -c -- *)
}
with_index() { printf '{"schemaVersion":2,"manifests":[{"digest":"sha256:%s"}]}' "$1" >index.json; } # DIGEST
exchanged() { # two parts have each other's name
	local config
	config=$(jq -r '.config.digest[7:]' "blobs/sha256/$DIGEST")
	mv "blobs/sha256/$config" swap
	mv "blobs/sha256/$LAYER" "blobs/sha256/$config"
	mv swap "blobs/sha256/$LAYER"
}
archive_cases() {
	fresh
	table "image tool 1.9 sha256:$DIGEST 127.0.0.1:8000/acme/tool"
	run fetch
	cp "$(at "$DIGEST" tool.tar)" sound
	archive 'an archive with another byte' 1 flipped
	archive 'one that ends early' 1 shortened
	archive 'one with the same parts is the image' 0 packed true
	archive 'one without a layer' 1 packed rm "blobs/sha256/$LAYER"
	archive 'one without its index' 1 packed rm index.json
	archive 'one with another image' 1 packed with_index "$OTHER"
	archive 'one in which two parts have each other'"'"'s name' 1 packed exchanged
	archive 'one with more than the image' 1 packed cp "$WORK/www/f-1" "blobs/sha256/$F"
	run fetch
	ends 'it is fetched anew' 0
	yes '… as it was' image_same "$(at "$DIGEST" tool.tar)"
	fresh
	table "image tool 1.9 sha256:$DIGEST 127.0.0.1:8000/acme/tool" "file f 1 $F $WEB/plain/f-1"
	printf xxxx | dd of="www/acme/tool/blobs/sha256:$LAYER" bs=1 seek=50000 conv=notrunc status=none
	run fetch
	ends 'a layer that was changed in the registry' 1
	tells '… names both sums' "sha256:$LAYER" "sha256:$(sum "www/acme/tool/blobs/sha256:$LAYER")" 127.0.0.1:8000/acme/tool
	nothing '… is no asset, and nothing more is fetched'
	cp "www/acme/tool/manifests/sha256:$OTHER" "www/acme/tool/manifests/sha256:$DIGEST"
	run fetch
	ends 'another manifest in the registry' 1
	tells '… is told, with the digest' "does not match provided manifest digest sha256:$DIGEST"
	nothing '… is no asset, and nothing more is fetched'
	table "image tool 1.9 sha256:$DIGEST 127.0.0.1:1/acme/tool"
	PHOENIX_ASSETS_TRIES=1 run fetch
	ends 'no registry' 1
	run update
	ends '… for update' 1
	tells '… is told' 'cannot ask 127.0.0.1:1/acme/tool' 'connection refused'
	table "image tool 1.9 sha256:$DIGEST 127.0.0.1:8002/acme/tool"
	PHOENIX_ASSETS_LIMIT=1 run fetch
	ends 'a registry that says nothing' 1
}
image_same() { [ "$(tar -tf "$1" | sort)" = "$(tar -tf sound | sort)" ]; }

# What the lab makes of it: lab PARTS prints the folder with its K3s, or what it tells.
lab() {
	# shellcheck disable=SC2030 # for the functions of k3s.sh
	(
		set +e
		# shellcheck disable=SC2034
		PARTS=$1 REPO=$HERE/../..
		# shellcheck source=../../image/lib/k3s.sh
		. "$REPO/image/lib/k3s.sh"
		k3s_fetch >/dev/null 2>&1
		k3s_find
		printf '%s\n' "${K3S_DIR:-$K3S_MISSING}"
	)
}
lab_cases() {
	mkdir -p parts/k3s
	fresh
	table "file k3s 1 - $WEB/plain/f-1"
	expect 'the lab: no K3s without a checksum' "no K3s: put \`k3s'*/none/k3s*" lab /none
	asked '… and none is fetched' ''
	table "file k3s 1 $F $WEB/plain/f-1"
	same 'with one it is fetched' "$PHOENIX_CACHE/assets/$F" "$(lab /none)"
	placed '… as k3s' f-1 "$F" k3s
	same '… and taken from there' "$PHOENIX_CACHE/assets/$F" "$(lab /none)"
	asked '… fetched once' '/plain/f-1 ,'
	touch parts/k3s/k3s
	same 'its cache is the same' "$WORK/cache"$'\n'/var/cache/threephoenix$'\n'"$WORK/here" "$(
		# shellcheck source=../../image/lib/cache.sh
		. "$HERE/../../image/lib/cache.sh"
		PHOENIX_CACHE=$PHOENIX_CACHE cache_folder
		PHOENIX_CACHE='' cache_folder
		PHOENIX_CACHE=here cache_folder
	)"
	same 'what lies in the parts folder comes first' "$WORK/parts/k3s" "$(lab "$WORK/parts")"
}

registry_cases() {
	command -v skopeo >/dev/null || { echo 'skipped: images: no skopeo'; return; }
	registry_setup
	image_cases 127.0.0.1:8000
	if registry_real; then image_cases 127.0.0.1:5000; fi
	archive_cases
}

[ $# -gt 0 ] || set -- plain wrong continued slow together disk table update missing lab registry
for part; do "${part}_cases"; done
finish
