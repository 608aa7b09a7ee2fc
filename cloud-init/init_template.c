/* See init_template.h. */
#include "cloud-init/init_template.h"

static const char head[] = "# A cluster of ThreePhoenix. `phoenix check` shows every mistake; "
			   "phoenix.yaml(5) explains each key.\n"
			   "# The values below are examples that are reserved for documentation: "
			   "names, addresses, MAC addresses,\n"
			   "# domain and e-mail must become yours. Everything else has the default "
			   "that is shown, and may be left out.\n";

static const char nodes[] =
	"  # Exactly three machines. The order decides who forms the cluster: do not change it "
	"later.\n"
	"  # disk: where `phoenix pxe` installs the system. data: a second disk for everything "
	"that must outlive\n"
	"  # a re-flash; without it that is the rest of the first. Both as /dev/disk/by-id/…, "
	"which stays the same.\n"
	"  nodes:\n"
	"    - { name: phoenix-a, address: 192.0.2.11/24, mac: \"52:54:00:00:00:0a\" }\n"
	"    - { name: phoenix-b, address: 192.0.2.12/24, mac: \"52:54:00:00:00:0b\" }\n"
	"    - { name: phoenix-c, address: 192.0.2.13/24, mac: \"52:54:00:00:00:0c\" }\n"
	"  network:\n"
	"    gateway: 192.0.2.1\n"
	"    # Without dns the gateway is asked, without ntp the distribution's servers.\n"
	"    # dns: [ 192.0.2.1 ]\n"
	"    # ntp: [ ntp.example.org ]\n"
	"  # An unused address that floats over the nodes, and where your router sends ports 80 "
	"and 443.\n"
	"  # vip: 192.0.2.10\n"
	"  # Who may log in by SSH as user `phoenix`, and from where. Without keys: nobody.\n"
	"  # admin:\n"
	"  #   ssh_keys: [ \"ssh-ed25519 AAAA… you@example.org\" ]\n"
	"  #   from: [ 198.51.100.0/24 ]\n";

static const char rest[] =
	"# The services live below it: git.example.org.\n"
	"domain: example.org\n\n"
	"# Certificates. server: production, staging or the https:// address of another ACME "
	"server.\n"
	"acme: { email: ops@example.org, server: production }\n\n"
	"# provider: longhorn (copies on other nodes) or local-path. reclaim: retain or delete.\n"
	"storage: { provider: longhorn, replicas: 3, reclaim: retain }\n\n"
	"# replication: async (a lost standby never stops writes) or sync (no commit is lost with "
	"a machine).\n"
	"database: { replication: async, size: 20Gi }\n\n"
	"# reads: standbys (spread over all three databases) or primary.\n"
	"services:\n"
	"  gitea: { host: git.example.org, replicas: 3, repositories: 50Gi, reads: standbys }\n\n"
	"# Without a bucket there is no backup. Its keys belong into secrets.yaml, under s3.\n"
	"backup:\n"
	"  # s3: { endpoint: https://s3.example.org, bucket: backups, region: eu-central-1, "
	"prefix: ";
static const char tail[] = " }\n"
			   "  keep: 14d\n\n"
			   "# Each slot destroys the oldest database and clones it afresh; none "
			   "grows older than max_age.\n"
			   "# schedule: minute, hour, day of month, month, day of week, in UTC.\n"
			   "rotation: { schedule: \"0 3 * * 0\", max_age: 21d, window: 6h }\n\n"
			   "monitoring: { enabled: true }\n";

void init_template(const char *name, struct str *out)
{
	str_addf(out, "%scluster:\n  name: %s\n%s\n%s%s%s", head,
		 str_eq(name, "null") ? "\"null\"" : name, nodes, rest, name, tail);
}
