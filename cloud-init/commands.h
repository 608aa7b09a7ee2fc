/* The workstation's commands of this folder, as rows of the command table need them. */
#pragma once

#include "lib/fault.h"

int init_run(int argc, char **argv, struct fault *f);
int check_run(int argc, char **argv, struct fault *f);
int seed_run(int argc, char **argv, struct fault *f);
extern const char init_usage[], check_usage[], seed_usage[];
