/* Clients of the database while something goes wrong: each writes one row after the other, each row
 * once, and notes when it was acknowledged and on which timeline; connects anew when its connection is
 * gone. writer CONNINFO CLIENTS OUTPUT, until SIGTERM.
 *
 * OUTPUT: a line an acknowledgement, "CLIENT NUMBER TIMELINE MILLISECONDS". Then, on standard output, what
 * came of it: acknowledged, errors, the longest time without an acknowledgement (ms), and
 * acknowledgements on an older timeline after one on a newer. */
#include "lib/str.h"
#include "lib/timer.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static const char *conninfo;
static FILE *output;
static atomic_bool ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long acknowledged, errors, backwards, newest;
static int64_t last_at, longest;

static void acknowledge(int client, long number, long timeline)
{
	int64_t now = timer_now();

	pthread_mutex_lock(&lock);
	fprintf(output, "%d %ld %ld %lld\n", client, number, timeline, (long long)now);
	if (last_at && now - last_at > longest)
		longest = now - last_at;
	last_at = now;
	backwards += timeline < newest;
	if (timeline > newest)
		newest = timeline;
	acknowledged++;
	pthread_mutex_unlock(&lock);
}

/* The row of NUMBER; it may be there already, if the answer was lost. */
static bool insert(PGconn *pg, int client, long number)
{
	_free_ char *sql =
		mem_printf("INSERT INTO w VALUES (%d, %ld, ('x' || substr(pg_walfile_name("
			   "pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int) RETURNING timeline",
			   client, number);
	PGresult *r = PQexec(pg, sql);
	bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;

	if (ok)
		acknowledge(client, number, atol(PQgetvalue(r, 0, 0)));
	PQclear(r);
	return ok;
}

static void *client(void *arg)
{
	int self = (int)(intptr_t)arg;
	long number = 0;

	while (!ended) {
		PGconn *pg = PQconnectdb(conninfo);

		while (!ended && PQstatus(pg) == CONNECTION_OK && insert(pg, self, number++))
			;
		if (!ended) {
			pthread_mutex_lock(&lock);
			errors++;
			pthread_mutex_unlock(&lock);
			timer_sleep(20);
		}
		PQfinish(pg);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	sigset_t term;
	int n, sig;

	if (argc != 4 || (n = atoi(argv[2])) < 1 || n > 64 || !(output = fopen(argv[3], "w")))
		return 2;
	conninfo = argv[1];
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	for (int i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, client, (void *)(intptr_t)i);
	sigwait(&term, &sig);
	ended = true;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (fclose(output) != 0)
		return 2;
	printf("acknowledged %ld errors %ld longest %lld backwards %ld\n", acknowledged, errors,
	       (long long)longest, backwards);
	return 0;
}
