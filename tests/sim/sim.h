/* A deterministic simulation of three machines that run firstboot/decide.c against etcd's
 * rules, with an oracle. A run is its number: the same number gives the same schedule. The
 * machines' program is in node.c and recover.c, etcd in raft.c, what happens to them in
 * events.c, the person in operator.c. */
#pragma once

#include "firstboot/decide.h"

#define LOG_MAX 96
#define SNAPS 12
#define MEMBERS 64
#define LATE_MAX 4

enum entry_kind { ENTRY_NOOP, ENTRY_LEARNER, ENTRY_VOTER, ENTRY_REMOVE };
struct entry {
	int term, node;
	enum entry_kind kind;
	uint64_t id;
};

/* etcd's data on a disk: what survives a power cut. */
struct etcd {
	bool wal, tombstone;
	uint64_t id, fork; /* own member id; etcd's cluster id */
	uint64_t vote;
	int term, n, commit; /* COMMIT: as of the last append, as raft's hard state */
	struct entry log[LOG_MAX];
};

struct member_list {
	struct voter voters[VOTERS_MAX], learners[VOTERS_MAX];
	int n_voters, n_learners;
};

/* The data partition. */
struct disk {
	struct promise promise;
	char formation[ID_LEN], cluster[ID_LEN];
	char formed[ID_LEN]; /* incarnation that this disk belonged to, beyond doubt */
	int generation, retired, retired_for;
	struct words words;
	bool recovering; /* `recover --keep` this node, until its data was reset and that is recorded */
	struct etcd etcd;
	bool old;  /* put back by somebody: not what this machine wrote last */
	int since; /* step at which it was put into the machine */
};

enum mount { MOUNT_OK, MOUNT_LATE, MOUNT_BAD };
enum phase {
	PHASE_IDLE,
	PHASE_LOOK,
	PHASE_DECIDE,
	PHASE_ASK,
	PHASE_FORM_WAL,
	PHASE_JOIN_RECORD,
	PHASE_JOIN_ADD,
	PHASE_JOIN_WAL,
	PHASE_ASIDE,
	PHASE_RETIRE, /* from here: an operator's `recover` */
	PHASE_RECOVER_DECIDE,
	PHASE_RESET,
	PHASE_RESET_RECORD,
};

struct machine {
	bool on, link, differs, full, destroyed;
	int side;
	enum mount mount;
	struct disk disk;
	/* lost with the power */
	bool runs, leader;
	int commit;    /* what this etcd process knows to be committed */
	bool answered; /* ME was taken since the power came */
	struct node_view
		me; /* as of this node's last look at its own data: what the others are told */
	enum phase phase;
	int at, round; /* next peer to look at or to ask; step at which the round began */
	struct node_view views[NODE_COUNT];
	bool truly_ready[NODE_COUNT]; /* the oracle's: was it so when it was looked at? */
	struct decision last;
	struct etcd joining;
	int tries;
	bool founding; /* joins the cluster that it promised: no API to ask yet */
};

struct request { /* on its way for longer than its sender waited */
	bool used, retire;
	int from, to, generation;
	struct promise promise;
	char abandons[ID_LEN];
};

enum profile {
	PROFILE_GENTLE, /* nothing that needs a person: must end by itself */
	PROFILE_WIPES,
	PROFILE_OLD_DISKS,
	PROFILE_FORCED,
	PROFILE_RECOVER,
	PROFILE_ALL,
	PROFILE_COUNT,
};

struct stats {
	long runs, alone, helped, words, panics, excused, full, splits_excused_words;
};

struct world {
	uint64_t seed, run;
	int step;
	enum profile profile;
	struct machine m[NODE_COUNT];
	struct {
		bool used;
		int node;
		struct disk disk;
	} snaps[SNAPS];
	struct {
		uint64_t id;
		int node;
		bool published;
	} members[MEMBERS];
	int n_members;
	struct request late[LATE_MAX];
	bool quiet; /* faults have ended */
	bool verbose, full;
	int words, panics;
	struct stats *stats;
	char broken[600]; /* the violated property; "" = none yet */
};
extern const char *const node_names[NODE_COUNT];

/* world.c */
uint64_t draw(struct world *w);
int below(struct world *w, int n);
bool chance(struct world *w, int percent);
void new_id(struct world *w, char ret[ID_LEN]);
void note(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void broken(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool reach(const struct world *w, int i, int j);
/* A durable write succeeds unless the disk is full or not there. */
bool can_write(const struct world *w, int i);
void stop_k3s(struct world *w, int i);
void start_k3s(struct world *w, int i);
void power_off(struct world *w, int i);
void fresh_disk(struct world *w, int i);

/* raft.c */
void etcd_list(const struct etcd *e, int upto, struct member_list *ret);
bool list_has(const struct voter *v, int n, uint64_t id);
bool etcd_removed(const struct etcd *e, int upto, uint64_t id);
uint64_t raft_member(struct world *w, int node);
bool raft_published(struct world *w, uint64_t id);
bool raft_link(const struct world *w, int i, int j);
bool raft_leads(const struct world *w, int i);
int raft_leader(struct world *w,
		int i); /* the leader that I's process follows, with a quorum; -1 */
/* Does the list of I have a member of machine NODE, by what I knows to be committed? */
bool raft_lists(const struct world *w, int i, int node);
bool raft_ready(struct world *w, int i); /* a read through the quorum: brings I up to date */
bool raft_append(struct world *w, int leader, struct entry e);
void raft_tick(struct world *w, int i);
void raft_form(struct world *w, int i);
void raft_reset(struct world *w, int i);

/* node.c, recover.c */
void node_tells(const struct world *w, int i, struct node_view *ret);
void node_look_at_self(struct world *w, int i);
void node_view(const struct world *w, int i, struct node_view *ret);
void node_step(struct world *w, int i);
void look_begin(struct world *w, int i);
bool look_step(struct world *w, int i);
int highest_generation(const struct world *w, int i);
bool node_take(struct world *w, const struct request *r);
void word_recover(struct world *w, int i);
void recover_begin(struct world *w, int i);
void recover_step(struct world *w, int i);

/* events.c, operator.c, oracle.c */
void event(struct world *w);
void event_prefix(struct world *w);
void event_late(struct world *w);
void all_quiet(struct world *w);
void world_step(struct world *w);
void operator_acts(struct world *w);
void oracle_step(struct world *w);
void oracle_form(struct world *w, int i);
void oracle_decision(struct world *w, int i);
void oracle_reset(struct world *w, int i);
void oracle_aside(struct world *w, int i);
bool converged(struct world *w);
