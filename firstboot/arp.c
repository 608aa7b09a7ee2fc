/* See arp.h. */
#include "firstboot/arp.h"

#include "lib/fs.h"
#include "lib/timer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPEAT 100 /* ms between two questions: one lost frame must not decide */

struct question {
	int fd;
	struct ether_arp request;
	struct sockaddr_ll to;
};

static int open_socket(const char *name, struct question *q, struct fault *f)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP) };
	struct ifreq rq = { 0 };

	q->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP));
	if (q->fd < 0)
		return fault_errno(f, "ARP on %s", name);
	snprintf(rq.ifr_name, sizeof rq.ifr_name, "%s", name);
	at.sll_ifindex = (int)if_nametoindex(name);
	if (!at.sll_ifindex || ioctl(q->fd, SIOCGIFHWADDR, &rq) < 0 ||
	    bind(q->fd, (struct sockaddr *)&at, sizeof at) < 0)
		return fault_errno(f, "ARP on %s", name);
	if (rq.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return fault_set(f, EPROTONOSUPPORT, "ARP on %s: no Ethernet", name);
	memcpy(q->request.arp_sha, rq.ifr_hwaddr.sa_data, ETH_ALEN);
	q->to = at;
	q->to.sll_halen = ETH_ALEN;
	memset(q->to.sll_addr, 0xff, ETH_ALEN);
	return 0;
}

/* A request with the sender's address 0 asks without telling anybody that we have it. */
static void fill(struct ether_arp *rq, struct in_addr target)
{
	rq->ea_hdr.ar_hrd = htons(ARPHRD_ETHER);
	rq->ea_hdr.ar_pro = htons(ETH_P_IP);
	rq->ea_hdr.ar_hln = ETH_ALEN;
	rq->ea_hdr.ar_pln = 4;
	rq->ea_hdr.ar_op = htons(ARPOP_REQUEST);
	memcpy(rq->arp_tpa, &target, 4);
}

static bool is_answer(const struct question *q, const struct ether_arp *a, ssize_t n)
{
	return n >= (ssize_t)sizeof *a && a->ea_hdr.ar_op == htons(ARPOP_REPLY) &&
	       memcmp(a->arp_spa, q->request.arp_tpa, 4) == 0 &&
	       memcmp(a->arp_sha, q->request.arp_sha, ETH_ALEN) != 0;
}

static bool listen_for(const struct question *q, int64_t until, char mac[18])
{
	struct ether_arp a;

	for (int64_t left; (left = until - timer_now()) > 0;) {
		struct pollfd p = { .fd = q->fd, .events = POLLIN };

		if (poll(&p, 1, (int)left) <= 0)
			continue;
		if (!is_answer(q, &a, recv(q->fd, &a, sizeof a, 0)))
			continue;
		snprintf(mac, 18, "%02x:%02x:%02x:%02x:%02x:%02x", a.arp_sha[0], a.arp_sha[1],
			 a.arp_sha[2], a.arp_sha[3], a.arp_sha[4], a.arp_sha[5]);
		return true;
	}
	return false;
}

int arp_probe(const char *name, const char *address, int timeout_ms, char mac[18], struct fault *f)
{
	struct question q = { .fd = -1 };
	struct in_addr target;
	int64_t end;
	int r;

	if (inet_pton(AF_INET, address, &target) != 1)
		return fault_set(f, EINVAL, "ARP: %s is no IPv4 address", address);
	r = open_socket(name, &q, f);
	fill(&q.request, target);
	end = timer_now() + timeout_ms;
	while (r == 0 && timer_now() < end) {
		int64_t until = timer_now() + REPEAT < end ? timer_now() + REPEAT : end;

		if (sendto(q.fd, &q.request, sizeof q.request, 0, (struct sockaddr *)&q.to,
			   sizeof q.to) < 0)
			r = fault_errno(f, "ARP on %s", name);
		else
			r = listen_for(&q, until, mac);
	}
	fd_closep(&q.fd);
	return r;
}

int arp_stranger(const char *name, const char *address, const char *gateway, int timeout_ms,
		 char mac[18], struct fault *f)
{
	int r = arp_probe(name, address, timeout_ms, mac, f);
	char router[18] = "";

	if (r > 0 && gateway && arp_probe(name, gateway, timeout_ms, router, NULL) > 0 &&
	    strcmp(mac, router) == 0)
		return 0;
	return r;
}
