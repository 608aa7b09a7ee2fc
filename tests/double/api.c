/* A double of the Kubernetes API server: see api.h, and --help. */
#include "tests/double/api.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>

static const char usage[] =
	"Usage: api --cert FILE --key FILE --socket PATH [OPTION]... ADDRESS:PORT...\n"
	"       api --tell PATH COMMAND [WORD]...\n"
	"\n"
	"The Kubernetes API over one store in memory, on all addresses, until it is ended. Says "
	"\"ready\".\n"
	"  --client-ca FILE    who has a certificate of this CA may do everything (\"admin\")\n"
	"  --tokens FILE       lines of TOKEN NAME [USER]; read at each request. USER (or NAME) is "
	"who\n"
	"                      Kubernetes takes him for: system:serviceaccount:... may do what "
	"Roles and\n"
	"                      their bindings say, others everything. Faults know him by NAME.\n"
	"  --events N          what is remembered for watches (1000)\n"
	"\n"
	"Commands of --tell, or lines on the socket, which answers \"ok\" or \"error: WHY\", then "
	"words:\n";

static const char not_done[] =
	"\n"
	"Not as the real one: only the kinds of api_kind.c and CustomResourceDefinitions, without "
	"their\n"
	"schemas; no subresources but tokens; no finalizers, no grace: what is deleted is gone, a\n"
	"namespace with all in it; no defaults; strategic and JSON patches are refused; "
	"server-side\n"
	"apply knows conflicts and nothing more; nothing acts on what is stored.\n";

struct options {
	const char *cert, *key, *client_ca, *tokens, *socket, *tell;
	long events;
};

/* The index of the first operand, or -1. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "cert", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },
		{ "client-ca", required_argument, NULL, 'a' },
		{ "tokens", required_argument, NULL, 't' },
		{ "socket", required_argument, NULL, 's' },
		{ "events", required_argument, NULL, 'e' },
		{ "tell", required_argument, NULL, 'T' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char **const values[] = {
		['c'] = &o->cert,   ['k'] = &o->key,	['a'] = &o->client_ca,
		['t'] = &o->tokens, ['s'] = &o->socket, ['T'] = &o->tell
	};
	int c;

	/* "+": the words of a command are no options */
	while ((c = getopt_long(argc, argv, "+", table, NULL)) != -1) {
		if (c == 'h') {
			printf("%s%s%s", usage, tell_usage, not_done);
			exit(0);
		}
		if (c == '?' || (c == 'e' && !str_to_long(optarg, 1, 1000000, &o->events)))
			return -1;
		if (c != 'e')
			*values[c] = optarg;
	}
	return optind;
}

/* The file's text; NULL stays NULL. A mistake ends the program. */
static char *file_text(const char *path)
{
	_str_ struct str text = { 0 };
	struct fault f = { 0 };

	if (!path)
		return NULL;
	if (load_file(path, &text, &f) < 0) {
		fprintf(stderr, "api: %s\n", f.text);
		exit(1);
	}
	return str_take(&text);
}

static int serve(const struct options *o, char **addresses)
{
	static struct store store;
	static struct faults faults;
	static struct http_config config;
	_strv_ struct strv list = { 0 };
	struct fault f = { 0 };

	for (; *addresses; addresses++)
		strv_add(&list, *addresses);
	signal(SIGPIPE, SIG_IGN);
	config = (struct http_config){ .store = &store,
				       .faults = &faults,
				       .cert_pem = file_text(o->cert),
				       .key_pem = file_text(o->key),
				       .client_ca_pem = file_text(o->client_ca),
				       .tokens = o->tokens };
	store_start(&store, (size_t)o->events);
	faults_start(&faults, &list);
	if (http_serve(&config, &f) == 0)
		tell_serve(o->socket, &store, &faults, &f);
	fprintf(stderr, "api: %s\n", f.text);
	return 1;
}

int main(int argc, char **argv)
{
	struct options o = { .events = 1000 };
	int first = read_options(argc, argv, &o);

	if (first > 0 && o.tell && first < argc)
		return tell(o.tell, argv + first);
	if (first > 0 && !o.tell && o.cert && o.key && o.socket && first < argc &&
	    argc - first <= ADDRESSES_MAX)
		return serve(&o, argv + first);
	fputs(usage, stderr);
	fputs(tell_usage, stderr);
	return 2;
}
