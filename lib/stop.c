/* See stop.h. */
#include "lib/stop.h"

#include "lib/str.h"

static volatile sig_atomic_t asked;

static void on_signal(int number)
{
	asked = number;
}

const volatile sig_atomic_t *stop_catch(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction act = { .sa_handler = on_signal };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		sigaction(numbers[i], &act, NULL);
	return &asked;
}

int stop_asked(void)
{
	return (int)asked;
}
