/* Pods of the database and of a pooler, for tests with real servers: what route.sh has started, and
 * a hand on it. postgres-N is on 10.42.0.1N (3 is of another cluster), the pooler on 10.42.0.30, the
 * double of the API on 10.42.0.1 and 10.42.0.2. */
#pragma once

#include "tests/unit/test.h"

#include "lib/kube.h"
#include "lib/pg.h"
#include "lib/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define POOLER "10.42.0.30"
#define NS "/api/v1/namespaces/database"

extern struct kube *kube; /* as the administrator, by the second address */
extern int primary;	  /* ordinal */
extern int64_t term;

/* Puts the objects of a database with postgres-0 as its primary into the API: the group's setup. */
int world(void **state);
int world_away(void **state);

/* One of route.sh's functions with its words. */
void hand(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void link_of(int n, const char *state); /* "up", "down": the pod's cable */
/* The process whose command line begins with A and has B in it, the oldest; 0: there is none. */
pid_t process(const char *a, const char *b);
pid_t postmaster(int n);
void signalled(pid_t pid, int number);
void signalled_all(int n, int number); /* every process of a server */
void is_gone(pid_t pid);

/* As the role USER, with its password. */
int reach(const char *address, int port, const char *user, bool tls, struct pg **ret,
	  struct fault *f);
struct pg *client(int port); /* a service's, through the pooler */
void done(struct pg *pg, const char *sql);
void server_does(int n, const char *sql); /* as superuser, without poolers */
/* The ordinal of the server that SQL's column a names; -1: an error. */
#define WHERE "SELECT host(inet_server_addr()) AS a"
int server_of(struct pg *pg, const char *sql);

void put_holder(int n, int64_t t); /* the Lease */
void put_pod(int n, const char *address);
void put_map(const char *name, const char *data);
void put_move(const char *id, int to, const char *phase);

/* What the agent says of a pool: the pod it points at, "" = nowhere; the caller's. */
char *pool(const char *name);
void until_pool(const char *name, int n); /* -1: nowhere */
void until_as_it_should_be(void);

/* The third streams from N, which takes over from OLD. */
void third_follows(int n, int old);
/* N begins the next term; the Lease does not say so yet. */
void promote(int n);
/* The standbys, since either may have received what a new primary has not. */
void others_made_anew(void);
