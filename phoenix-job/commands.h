/* Rows of the command table that this folder gives. */
#pragma once

#include "lib/fault.h"

extern const char pg_usage[], route_usage[];
int pg_run(int argc, char **argv, struct fault *f);
int route_run(int argc, char **argv, struct fault *f);
