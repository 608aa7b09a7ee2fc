/* Durations ("21d", "6h") and sizes ("20Gi") as people write them in phoenix.yaml. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whole number and one unit: s, m, h, d, w. Positive and at most ten years. Seconds. */
bool units_duration(const char *text, int64_t *seconds);
/* Whole number and one unit as Kubernetes has them: Ki, Mi, Gi, Ti. Positive and at most 1024 Ti.
 * Bytes. */
bool units_size(const char *text, int64_t *bytes);
