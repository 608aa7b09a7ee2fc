/* See pg_libpq.h. */
#include "lib/pg_libpq.h"

#include "lib/library.h"
#include "lib/str.h"

struct libpq_calls pq;

#define CALL(name, member)            \
	{                             \
		"PQ" name, &pq.member \
	}
static const struct library_call calls[] = {
	CALL("clear", clear),
	CALL("connectPoll", connect_poll),
	CALL("connectStartParams", connect_start_params),
	CALL("consumeInput", consume_input),
	CALL("errorMessage", error_message),
	CALL("escapeIdentifier", escape_identifier),
	CALL("escapeLiteral", escape_literal),
	CALL("finish", finish),
	CALL("flush", flush),
	CALL("fnumber", fnumber),
	CALL("freemem", freemem),
	CALL("getisnull", getisnull),
	CALL("getResult", get_result),
	CALL("getvalue", getvalue),
	CALL("isBusy", is_busy),
	CALL("ntuples", ntuples),
	CALL("resultErrorField", result_error_field),
	CALL("resultStatus", result_status),
	CALL("sendQuery", send_query),
	CALL("sendQueryParams", send_query_params),
	CALL("setErrorVerbosity", set_error_verbosity),
	CALL("setnonblocking", setnonblocking),
	CALL("setNoticeProcessor", set_notice_processor),
	CALL("socket", socket),
	CALL("status", status),
};
#undef CALL
static struct library library = { .so = "libpq.so.5", .calls = calls, .n = ARRAY_LEN(calls) };

int libpq_load(struct fault *f)
{
	return library_load(&library, f);
}
