/* The values that a manifest may name. See manifest.h. */
#include "firstboot/manifest.h"

#include "firstboot/paths.h"

#define CONFIG(name, member)                                                      \
	{                                                                         \
		name, VALUE_CONFIG, offsetof(struct cluster_config, member), NULL \
	}
#define SECRET(name, member)                                               \
	{                                                                  \
		name, VALUE_SECRET, offsetof(struct secrets, member), NULL \
	}
#define COMPUTED(name, put)                    \
	{                                      \
		name, VALUE_COMPUTED, 0, (put) \
	}

static void put_version(const struct cluster_config *c, struct str *out)
{
	(void)c;
	str_add(out, PHOENIX_VERSION);
}

static void put_pod_network(const struct cluster_config *c, struct str *out)
{
	(void)c;
	str_add(out, POD_NETWORK);
}

/* The items of a list in JSON. */
static void put_api_servers(const struct cluster_config *c, struct str *out)
{
	for (int i = 0; i < NODE_COUNT; i++)
		str_addf(out, "%s\"https://%s:%d\"", i ? "," : "", c->nodes[i].address, API_PORT);
}

const struct manifest_value manifest_values[] = {
	COMPUTED("VERSION", put_version),
	COMPUTED("POD_NETWORK", put_pod_network),
	COMPUTED("API_SERVERS", put_api_servers),
	CONFIG("STORAGE_CLASS", storage_provider), /* each provider makes a class of its name */
	CONFIG("DATABASE_REPLICATION", database_replication),
	CONFIG("DATABASE_SIZE", database_size),
	CONFIG("GITEA_READS", gitea_reads),
	SECRET("DATABASE_CA", database_ca),
	SECRET("DATABASE_SERVER", database_server),
	SECRET("DATABASE_SERVER_KEY", database_server_key),
	SECRET("DATABASE_PEER_0", database_peer[0]),
	SECRET("DATABASE_PEER_0_KEY", database_peer_key[0]),
	SECRET("DATABASE_PEER_1", database_peer[1]),
	SECRET("DATABASE_PEER_1_KEY", database_peer_key[1]),
	SECRET("DATABASE_PEER_2", database_peer[2]),
	SECRET("DATABASE_PEER_2_KEY", database_peer_key[2]),
	SECRET("REPMGR_PASSWORD", repmgr_password),
	SECRET("PGBAUTH_PASSWORD", pgbauth_password),
	SECRET("PGPOOL_PASSWORD", pgpool_password),
	SECRET("ROUTE_PASSWORD", route_password),
	SECRET("POOLER_PASSWORD", pooler_password),
	SECRET("GITEA_DATABASE_PASSWORD", gitea_database_password),
	{ 0 },
};
