/* Tells the server how far this machine is, beside the work: a server that is slow or gone holds
 * nothing up. It is told again when nothing changed: silence is what it takes for a machine that was
 * switched off. */
#pragma once

#include "image/depot.h"

struct teller;
#define _teller_ _cleanup_(teller_freep)

struct teller *teller_new(const struct depot *d);
/* STEP lives for ever. */
void teller_step(struct teller *t, const char *step, unsigned percent);
/* Waits for what is being told, some seconds at most. */
void teller_freep(struct teller **t);
