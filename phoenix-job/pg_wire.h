/* What database pods ask each other (phoenix-job/pg_core.h), as text: JSON over lib/tls. What comes
 * in is another program's: it is checked in full before any of it is believed. */
#pragma once

#include "phoenix-job/pg_core.h"

#include "lib/fault.h"
#include "lib/str.h"

#define PG_SYSTEM_LEN 24

/* Beside what the core says: whose data it is ("": none, or not known). */
struct pg_said {
	struct pg_answer answer;
	char system[PG_SYSTEM_LEN];
};

void pg_ask_print(const struct pg_ask *q, struct str *out);
/* FROM: who it is by its certificate; -EPROTO. */
int pg_ask_parse(const char *text, size_t len, int from, struct pg_ask *ret, struct fault *f);
void pg_said_print(const struct pg_said *s, struct str *out);
int pg_said_parse(const char *text, size_t len, struct pg_said *ret, struct fault *f);
