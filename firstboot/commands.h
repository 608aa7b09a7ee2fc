/* Rows of the command table that this folder gives. */
#pragma once

#include "lib/fault.h"

extern const char firstboot_usage[], status_usage[], recover_usage[], form_usage[], forget_usage[],
	abandon_usage[];
int firstboot_run(int argc, char **argv, struct fault *f);
int status_run(int argc, char **argv, struct fault *f);
int recover_run(int argc, char **argv, struct fault *f);
int form_run(int argc, char **argv, struct fault *f);
int forget_run(int argc, char **argv, struct fault *f);
int abandon_run(int argc, char **argv, struct fault *f);
