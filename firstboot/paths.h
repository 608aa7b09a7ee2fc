/* Where things are on a node. One place, so that a reader finds them and no two modules disagree.
 * */
#pragma once

#define DATA_LABEL "phoenix-data"
#define DATA_MOUNT "/var/lib/phoenix"	   /* the data partition: survives a re-flash */
#define STATE_DIR DATA_MOUNT "/state"	   /* phoenix's durable records: promise, cluster, words */
#define DATA_RECORD STATE_DIR "/data.json" /* whose disk this is: data_record.h */
#define K3S_DATA "/var/lib/rancher"	   /* bind mount of DATA_MOUNT/rancher */
#define K3S_SERVER K3S_DATA "/k3s/server"
#define K3S_ETCD K3S_SERVER "/db/etcd"
#define K3S_TLS K3S_SERVER "/tls"
#define K3S_KUBELET_DIR K3S_DATA "/k3s/agent/etc/kubelet.conf.d"
#define K3S_IMAGES K3S_DATA "/k3s/agent/images" /* K3s imports the archives in it */
#define KUBELET_DATA "/var/lib/kubelet"		/* bind mount of DATA_MOUNT/kubelet */
#define NODE_PASSWORD_DIR \
	"/etc/rancher/node" /* bind mount of DATA_MOUNT/node: the Node's password
					       * must outlive root */
#define K3S_CONFIG "/etc/rancher/k3s/config.yaml"
#define K3S_CONFIG_DIR "/etc/rancher/k3s/config.yaml.d"
#define K3S_TOKEN "/etc/rancher/k3s/token"
#define IMAGES "/usr/share/threephoenix/images" /* those that come with the system */
#define MANIFESTS "/usr/share/threephoenix/manifests" /* what is installed into the cluster */
#define PHOENIX_DIR "/etc/phoenix"
#define FIREWALL_FILE PHOENIX_DIR "/firewall.nft"
#define VIP_CHECK "/etc/keepalived/phoenix-check"
#define RUN_DIR "/run/phoenix"
#define K3S_PERMIT \
	RUN_DIR "/k3s.env" /* k3s.service starts only while this exists; PHOENIX_K3S_ARGS
				       * for that start */
#define STATUS_FILE RUN_DIR "/status.json"

#define EXCHANGE_PORT 6440
#define API_PORT 6443
/* K3s's own defaults, said aloud because the firewall relies on them. */
#define POD_NETWORK "10.42.0.0/16"
#define SERVICE_NETWORK "10.43.0.0/16"
