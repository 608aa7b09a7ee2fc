/* What the two halves of pxe_nodes.h share. All of it under the lock. */
#pragma once

#include "image/pxe_nodes.h"

/* For a person, once each. */
void pxe_report(struct pxe_nodes *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* True, and said: PEER is not the address that our own DHCP gave N. */
bool pxe_from_elsewhere(struct pxe_nodes *p, const struct pxe_node *n, const char *peer);
/* It took longer than the cluster's word holds. */
bool pxe_is_late(const struct pxe_node *n);
/* Whose turn it is while the cluster must do without a node; NULL: nobody's but N's. */
const struct pxe_node *pxe_other_turn(const struct pxe_nodes *p, const struct pxe_node *n);
