/* Who has this IPv4 address? Asked on the wire itself, so that an answer counts even from a
 * machine that filters everything else. */
#pragma once

#include "lib/fault.h"

/* Asks on interface NAME for ADDRESS without claiming it (an RFC 5227 probe) and waits TIMEOUT_MS.
 * 1: somebody other than this interface answered, MAC says who; 0: nobody. -errno: could not ask.
 * */
int arp_probe(const char *name, const char *address, int timeout_ms, char mac[18], struct fault *f);
/* The same, but a gateway (or NULL) that answers for everybody, proxy ARP, does not count. */
int arp_stranger(const char *name, const char *address, const char *gateway, int timeout_ms,
		 char mac[18], struct fault *f);
