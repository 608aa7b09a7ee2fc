/* Durations ("21d", "6h") and sizes ("20Gi") as people write them in phoenix.yaml. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whole number and one unit: s, m, h, d, w. Positive and at most ten years. Seconds. */
bool units_duration(const char *text, int64_t *seconds);
/* Whole number and one unit as Kubernetes has them: Ki, Mi, Gi, Ti. Positive and at most 1024 Ti.
 * Bytes. */
bool units_size(const char *text, int64_t *bytes);
/* BYTES as people read them: "512 B", "1.5 GiB", "12 GiB". */
void units_bytes(uint64_t bytes, char *out, size_t size);
