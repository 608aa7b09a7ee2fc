/* See k3s_config.h. The timings were measured together: see docs/architecture.md, "Noticing a dead
 * node". */
#include "firstboot/k3s_config.h"

#include "firstboot/paths.h"

const char k3s_kubelet_text[] = "# phoenix: a node that is gone is noticed after 10 s, not 40\n"
				"apiVersion: kubelet.config.k8s.io/v1beta1\n"
				"kind: KubeletConfiguration\n"
				"nodeLeaseDurationSeconds: 8\n";

/* The same for the three components that elect a leader in the API. Losing the Lease makes K3s
 * exit, so the renewal's limit stays well above an etcd election. */
#define LEADER                                                              \
	"leader-elect-lease-duration=8s", "leader-elect-renew-deadline=6s", \
		"leader-elect-retry-period=2s"

static void add_list(struct str *out, const char *key, const char *const *items)
{
	str_addf(out, "%s:\n", key);
	for (; *items; items++)
		str_addf(out, "- \"%s\"\n", *items);
}
#define ADD_LIST(out, key, ...) add_list(out, key, (const char *const[]){ __VA_ARGS__, NULL })

static void add_names(const struct cluster_config *c, struct str *out)
{
	str_add(out, "tls-san:\n");
	for (int i = 0; i < NODE_COUNT; i++)
		str_addf(out, "- \"%s\"\n- \"%s\"\n", c->nodes[i].address, c->nodes[i].name);
	if (c->vip)
		str_addf(out, "- \"%s\"\n", c->vip);
}

/* metrics-server is one pod behind an aggregated API: while its node is down, discovery fails and
 * no namespace can be deleted. Nothing here asks it. */
static void add_components(const struct cluster_config *c, struct str *out)
{
	str_add(out, "disable:\n- traefik\n- servicelb\n- metrics-server\n");
	if (!str_eq(c->storage_provider, "local-path"))
		str_add(out, "- local-storage\n");
	str_add(out, "disable-helm-controller: true\n");
}

static void add_arguments(struct str *out)
{
	ADD_LIST(out, "etcd-arg", "heartbeat-interval=150", "election-timeout=1500");
	ADD_LIST(out, "kube-apiserver-arg", "default-not-ready-toleration-seconds=20",
		 "default-unreachable-toleration-seconds=20");
	ADD_LIST(out, "kube-controller-manager-arg", "node-monitor-grace-period=16s",
		 "node-monitor-period=2s", LEADER);
	ADD_LIST(out, "kube-scheduler-arg", LEADER);
	ADD_LIST(out, "kube-cloud-controller-manager-arg", LEADER);
	ADD_LIST(out, "kubelet-arg", "node-status-update-frequency=4s");
}

void k3s_config_render(const struct cluster_config *c, int self, struct str *out)
{
	str_addf(out,
		 "# phoenix: written at each boot from the description. Own settings: a file in\n"
		 "# config.yaml.d, the same on the three nodes.\n"
		 "node-name: \"%s\"\n"
		 "node-ip: \"%s\"\n"
		 "token-file: " K3S_TOKEN "\n"
		 "write-kubeconfig-mode: \"0600\"\n"
		 "flannel-backend: vxlan\n"
		 "cluster-cidr: " POD_NETWORK "\n"
		 "service-cidr: " SERVICE_NETWORK "\n"
		 "secrets-encryption: true\n"
		 "etcd-expose-metrics: false\n"
		 "etcd-snapshot-schedule-cron: \"0 */12 * * *\"\n",
		 c->nodes[self].name, c->nodes[self].address);
	add_names(c, out);
	add_components(c, out);
	add_arguments(out);
}
