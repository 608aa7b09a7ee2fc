/* Between the files of components.h. */
#pragma once

#include "firstboot/components.h"

/* The annotation KEY of OBJECT, or NULL. */
const char *components_annotation(const struct json *object, const char *key);
/* Sets one annotation by a merge patch; UID keeps it from an object that was made anew meanwhile. */
int components_annotate(struct kube *k, const char *path, const char *uid, const char *key,
			const char *value, struct fault *f);
/* R with what only means that the API is away, or that somebody was quicker, as -EAGAIN. */
int components_outside(int r, struct fault *f);

/* components_nodes.c: what the Nodes (an array) say of themselves. */
int components_nodes(const struct install *in, struct json **ret, struct fault *f);
/* Does our own Node say what we would install? */
bool components_published(const struct install *in, const struct json *nodes);
/* Makes it say so. 1: it did not before. */
int components_publish(const struct install *in, const struct json *nodes, struct fault *f);
/* Does every node of IN say the same? False: WHY names those that do not. */
bool components_agreed(const struct install *in, const struct json *nodes, struct str *why);
/* 0, or -EAGAIN: the cluster is not whole yet. */
int components_may_begin(const struct install *in, const struct json *nodes, struct fault *f);
