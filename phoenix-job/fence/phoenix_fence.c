/* The fence inside PostgreSQL: a module that is loaded by the postmaster and asks, in each backend,
 * whether this pod may still write or be read (phoenix-job/permit.h).
 *
 * The supervisor stops PostgreSQL before its Lease can expire, and its sibling kills it if the
 * supervisor stands still. Between a deadline and a kill lies time in which a backend runs on, and
 * acknowledges what the next primary does not have. So each backend looks at the clock itself:
 *   - a statement begins only with a permit: on a primary to write, on a standby to be read;
 *   - a transaction that wrote is refused before its commit record is written (it is undone);
 *   - and looked at once more when that record is durable and the standbys that it waits for have
 *     answered, which may be minutes later: then nothing is said at all, the connection ends. Its
 *     outcome is unknown to the client, as after a power cut. (An error cannot be raised there: the
 *     transaction is committed. xact.c would panic.)
 * What remains is a machine that stands still as a whole between that last look and the answer.
 *
 *   shared_preload_libraries = 'phoenix_fence'
 *   phoenix.permit = '/run/phoenix/permit'   no page, no start
 *   phoenix.exempt = 'phoenix, repmgr'       roles whose statements always begin; their commits
 *                                            are looked at like everybody's
 *   phoenix.supervisor = 'phoenix'           the one role whose commits are not: a new primary's
 *                                            supervisor writes its term before it has a permit
 *
 * PostgreSQL 16 to 18; of these 17 is run by the tests. */
#include "postgres.h"

#include "access/twophase.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/objectaccess.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "libpq/libpq-be.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "phoenix-job/permit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

PG_MODULE_MAGIC;

/* Each rule can be left out of a build, in which a test has to fail (tests/db/fence.sh). */
#ifndef FENCE_REMOVED
#define FENCE_REMOVED 0
#endif
#define RULE(n) (FENCE_REMOVED != (n))

static char *permit_path, *exempt_roles, *supervisor_role;
static const struct permit_page *page;
static ExecutorStart_hook_type next_start;
static ProcessUtility_hook_type next_utility;
static object_access_hook_type next_access;
static bool wrote; /* the transaction that is committing */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* When the statement came in, which is before its snapshot was taken. PostgreSQL notes it in wall
 * clock time: what counts is how long ago that is. */
static int64_t statement_ms(int64_t now)
{
	int64_t age = (GetCurrentTimestamp() - GetCurrentStatementStartTimestamp()) / 1000;

	return age > 0 ? now - age : now;
}

/* Not PostgreSQL's own processes: nobody is answered by these. */
static bool is_client(void)
{
	return MyProcPort != NULL;
}

static bool is_exempt(void)
{
	static int known = -1;
	List *names;
	ListCell *each;
	char *copy;

	if (known >= 0)
		return known;
	known = 0;
	copy = pstrdup(exempt_roles);
	if (SplitIdentifierString(copy, ',', &names))
		foreach(each, names) if (strcmp(lfirst(each), MyProcPort->user_name) == 0) known =
			1;
	list_free(names);
	pfree(copy);
	return RULE(1) && known;
}

static bool is_answerable(void)
{
	return is_client() &&
	       !(RULE(9) && strcmp(MyProcPort->user_name, supervisor_role) == 0);
}

static bool may_write(void)
{
	return permit_page_may_write(page, now_ms());
}

/* Ends the session: on a server that is no longer the primary there is nothing left to ask, and
 * poolers and drivers look for another one at this code. */
static void refuse_write(void)
{
	ereport(FATAL,
		(errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("this server is no longer the primary"),
		 errdetail("Its permit to write has run out.")));
}

static void begin_statement(void)
{
	int64_t now = now_ms();

	if (!is_client() || is_exempt())
		return;
	if (!RecoveryInProgress()) {
		if (RULE(2) && !permit_page_may_write(page, now))
			refuse_write();
		return;
	}
	if (!permit_page_may_read(page, RULE(4) ? statement_ms(now) : now, now) && RULE(3))
		ereport(ERROR, (errcode(ERRCODE_CANNOT_CONNECT_NOW),
				errmsg("this standby may not be read from"),
				errdetail("Its permit to be read has run out.")));
}

/* After the snapshot was taken (PortalStart), which therefore lies in the permit as well. */
static void fence_start(QueryDesc *query, int eflags)
{
	begin_statement();
	if (next_start)
		next_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

/* Commands that neither read nor write data: what a pooler sends between two clients must work,
 * and a transaction must come to its end. */
static bool is_harmless(const Node *command)
{
	switch (nodeTag(command)) {
	case T_TransactionStmt:
	case T_VariableSetStmt:
	case T_VariableShowStmt:
	case T_DiscardStmt:
	case T_DeallocateStmt:
	case T_ClosePortalStmt:
	case T_UnlistenStmt:
		return true;
	default:
		return false;
	}
}

static void fence_utility(PlannedStmt *statement, const char *text, bool read_only_tree,
			  ProcessUtilityContext context, ParamListInfo params,
			  QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *done)
{
	if (RULE(5) && !is_harmless(statement->utilityStmt))
		begin_statement();
	(next_utility ? next_utility : standard_ProcessUtility)(
		statement, text, read_only_tree, context, params, environment, dest, done);
}

/* A function that is called without a statement (the fast path, by which JDBC reads large
 * objects). */
static void fence_access(ObjectAccessType access, Oid class, Oid object, int sub, void *arg)
{
	if (RULE(6) && access == OAT_FUNCTION_EXECUTE)
		begin_statement();
	if (next_access)
		next_access(access, class, object, sub, arg);
}

static void fence_xact(XactEvent event, void *arg)
{
	switch (event) {
	case XACT_EVENT_PRE_COMMIT:
		wrote = TransactionIdIsValid(GetTopTransactionIdIfAny());
		if (RULE(7) && wrote && is_answerable() && !may_write())
			refuse_write();
		return;
	case XACT_EVENT_COMMIT:
		if (RULE(8) && wrote && is_answerable() && !may_write()) {
			ereport(LOG,
				(errmsg("a commit is not acknowledged: the permit to write ran "
					"out while it waited")));
			shutdown(MyProcPort->sock, SHUT_RDWR);
		}
		return;
	default:
		return;
	}
}

static void open_page(void)
{
	struct stat st;
	int fd = open(permit_path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		ereport(FATAL, (errcode_for_file_access(),
				errmsg("phoenix.permit: \"%s\": %m", permit_path)));
	if (st.st_size == sizeof *page)
		page = mmap(NULL, sizeof *page, PROT_READ, MAP_SHARED, fd, 0);
	if (page == NULL || page == MAP_FAILED || page->magic != PERMIT_MAGIC)
		ereport(FATAL, (errmsg("phoenix.permit: \"%s\" is not a permit", permit_path)));
	close(fd);
}

void _PG_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		ereport(ERROR, (errmsg("phoenix_fence belongs into shared_preload_libraries")));
	DefineCustomStringVariable(
		"phoenix.permit", "The page that says until when this server may write or be read.",
		NULL, &permit_path, "", PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomStringVariable(
		"phoenix.exempt", "Roles whose statements begin without a permit.", NULL,
		&exempt_roles, "", PGC_POSTMASTER, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomStringVariable("phoenix.supervisor",
				   "The role whose commits need no permit: nobody is told of them.",
				   NULL, &supervisor_role, "", PGC_POSTMASTER, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("phoenix");
	/* their second half is a transaction that did not write */
	if (max_prepared_xacts > 0)
		ereport(FATAL, (errmsg("phoenix_fence does not see two-phase commits: set "
				       "max_prepared_transactions to 0")));
	open_page();
	next_start = ExecutorStart_hook;
	ExecutorStart_hook = fence_start;
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = fence_utility;
	next_access = object_access_hook;
	object_access_hook = fence_access;
	RegisterXactCallback(fence_xact, NULL);
}
