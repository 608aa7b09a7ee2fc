/* The description of a cluster (phoenix.yaml) as a struct: parsed once by a closed schema, then
 * passed as const. */
#pragma once

#include "lib/diag.h"
#include "lib/fault.h"
#include "lib/str.h"
#include "lib/yaml.h"

#include <stdint.h>

#define NODE_COUNT 3

struct node_config {
	char *name;    /* DNS label */
	char *address; /* IPv4 literal without prefix */
	int prefix;
	char *mac;  /* aa:bb:cc:dd:ee:ff, lower case */
	char *disk; /* the system disk, or NULL */
	char *data; /* second disk for phoenix-data, or NULL */
};

struct cluster_config {
	char *name;
	struct node_config nodes[NODE_COUNT];
	char *gateway;
	struct strv dns, ntp;
	char *vip; /* or NULL */
	struct strv ssh_keys, admin_from;
	char *domain;
	char *acme_email, *acme_server;
	char *storage_provider, *storage_reclaim;
	long storage_replicas;
	char *database_replication, *database_size;
	char *gitea_host, *gitea_repositories, *gitea_reads;
	long gitea_replicas;
	char *s3_endpoint, *s3_bucket, *s3_region, *s3_prefix; /* all NULL: no backup */
	char *backup_keep;
	char *rotation_schedule, *rotation_max_age, *rotation_window;
	bool monitoring;
	char digest[65]; /* SHA-256 of the canonical form of the text (not of defaults): the nodes
			    compare it */
};
#define _config_ _cleanup_(config_freep)

/* Reads phoenix.yaml. All mistakes go to D; -EINVAL when there is any, and *RET stays untouched. */
int config_parse(const char *file, const char *text, size_t len, struct cluster_config **ret,
		 struct diags *d);
/* The same, but with mistakes *RET is what could be read, or NULL: good for checking another file
 * against it in the same run and for nothing else, since any member may be NULL. */
int config_read(const char *file, const char *text, size_t len, struct cluster_config **ret,
		struct diags *d);
void config_freep(struct cluster_config **c);
/* Index of the node NAME, or -1. */
int config_node(const struct cluster_config *c, const char *name);
