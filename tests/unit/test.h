/* cmocka with the headers that it wants before its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* An upper bound that only a hang exceeds: a test with a clock in it fails on a busy machine. */
#define LATE 60000
