/* How far a workload of the cluster is, and in one sentence why it is not further: what a person would
 * find with `kubectl describe`, from the workload, its pods and, only when these say nothing, events. */
#pragma once

#include "lib/kube.h"

bool workload_is(const char *kind); /* Deployment, StatefulSet, DaemonSet */
/* Is W (an object of such a kind) what it is described to be? NODES: on how many nodes pods can be;
 * what wants more pods than that is content with as many. False: WHY gets "2 of 3 ready". */
bool workload_ready(const struct json *w, int nodes, struct str *why);

enum pod_trouble {
	POD_WELL,
	POD_UNTOLD, /* WHY has what is known, and events may know more */
	POD_TOLD,   /* WHY has the reason */
};
enum pod_trouble pod_trouble(const struct json *pod, struct str *why);
/* "REASON: MESSAGE" of the latest of EVENTS (an array); false: there is none. */
bool event_latest(const struct json *events, struct str *why);

/* 1 ready; 0 not: WHY gets "postgres 1 of 3 ready: postgres-1: ImagePullBackOff: …"; -errno: could not
 * look. */
int workload_look(struct kube *k, const struct json *w, int nodes, struct str *why,
		  struct fault *f);
