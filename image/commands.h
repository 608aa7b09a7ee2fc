/* The commands of this folder, as rows of the command table need them. */
#pragma once

#include "lib/fault.h"

int flash_run(int argc, char **argv, struct fault *f);
int install_run(int argc, char **argv, struct fault *f);
int pxe_run(int argc, char **argv, struct fault *f);
extern const char flash_usage[], install_usage[], pxe_usage[];
