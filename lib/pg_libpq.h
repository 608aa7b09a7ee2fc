/* libpq, for pg.c: its calls, loaded when the first server is opened. */
#pragma once

#include "lib/fault.h"

#include <libpq-fe.h>

extern struct libpq_calls {
	__typeof__(PQclear) *clear;
	__typeof__(PQconnectPoll) *connect_poll;
	__typeof__(PQconnectStartParams) *connect_start_params;
	__typeof__(PQconsumeInput) *consume_input;
	__typeof__(PQerrorMessage) *error_message;
	__typeof__(PQescapeIdentifier) *escape_identifier;
	__typeof__(PQescapeLiteral) *escape_literal;
	__typeof__(PQfinish) *finish;
	__typeof__(PQflush) *flush;
	__typeof__(PQfnumber) *fnumber;
	__typeof__(PQfreemem) *freemem;
	__typeof__(PQgetisnull) *getisnull;
	__typeof__(PQgetResult) *get_result;
	__typeof__(PQgetvalue) *getvalue;
	__typeof__(PQisBusy) *is_busy;
	__typeof__(PQntuples) *ntuples;
	__typeof__(PQresultErrorField) *result_error_field;
	__typeof__(PQresultStatus) *result_status;
	__typeof__(PQsendQuery) *send_query;
	__typeof__(PQsendQueryParams) *send_query_params;
	__typeof__(PQsetErrorVerbosity) *set_error_verbosity;
	__typeof__(PQsetnonblocking) *setnonblocking;
	__typeof__(PQsetNoticeProcessor) *set_notice_processor;
	__typeof__(PQsocket) *socket;
	__typeof__(PQstatus) *status;
} pq;

/* Safe from several threads; -EIO when there is no usable libpq. */
int libpq_load(struct fault *f);
