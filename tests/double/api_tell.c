/* The test's hand: a command a connection, on a Unix socket. "ok" or "error: WHY", then words. */
#include "tests/double/api.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char tell_usage[] =
	"  down [ADDRESS]      accepts connections and answers nothing, all servers or one\n"
	"  refuse [ADDRESS]    refuses and cuts connections\n"
	"  up [ADDRESS]        answers again, what waited too\n"
	"  cut NAME            who has this name's token gets no answer, and nothing is done\n"
	"  heal [NAME]         gets them again (all)\n"
	"  lose N              does the next N writes and loses their answers\n"
	"  delay MS            waits before each request is done\n"
	"  snapshot NAME       keeps the store\n"
	"  restore NAME        goes back to it, versions included, and ends all watches\n"
	"  get PATH            an object or a list\n"
	"  put PATH JSON       makes or replaces an object, whatever its version\n"
	"  patch PATH JSON     merge patch\n"
	"  delete PATH\n";

struct command {
	const char *word;
	char *rest; /* of the line */
	struct store *s;
	struct faults *x;
	struct str *words; /* the answer behind "ok" */
};

/* All run under the faults' lock and return a problem, or NULL. */
static const char *reach(const struct command *c)
{
	enum reach wanted = str_eq(c->word, "up")     ? REACH_UP
			    : str_eq(c->word, "down") ? REACH_DOWN
						      : REACH_REFUSED;
	bool found = !*c->rest;

	for (size_t i = 0; i < c->x->n; i++)
		if (!*c->rest || str_eq(c->rest, c->x->address[i].name)) {
			c->x->address[i].wanted = wanted;
			found = true;
		}
	pthread_cond_broadcast(&c->x->changed);
	for (size_t i = 0; i < c->x->n; i++)
		while (c->x->address[i].is != c->x->address[i].wanted)
			pthread_cond_wait(&c->x->changed, &c->x->lock);
	return found ? NULL : "no such address";
}

static const char *cut(const struct command *c)
{
	if (!*c->rest)
		return "cut NAME";
	if (!strv_has(&c->x->cut, c->rest))
		strv_add(&c->x->cut, c->rest);
	return NULL;
}

static const char *heal(const struct command *c)
{
	_strv_ struct strv left = { 0 }, all = c->x->cut;

	strv_each (name, &all)
		if (*c->rest && !str_eq(name, c->rest))
			strv_add(&left, name);
	c->x->cut = left;
	left = (struct strv){ 0 };
	return NULL;
}

static const char *count(const struct command *c)
{
	long n;

	if (!str_to_long(c->rest, 0, INT32_MAX, &n))
		return "a number is wanted";
	if (str_eq(c->word, "lose"))
		c->x->lose = (int)n;
	else
		c->x->delay_ms = (int)n;
	return NULL;
}

static const char *turn_back(const struct command *c)
{
	bool done = true;

	if (!*c->rest)
		return "a name is wanted";
	pthread_mutex_lock(&c->s->lock);
	if (str_eq(c->word, "snapshot"))
		store_snapshot(c->s, c->rest);
	else
		done = store_restore(c->s, c->rest);
	pthread_mutex_unlock(&c->s->lock);
	return done ? NULL : "no such snapshot";
}

static const char *no_query(void *user, const char *name)
{
	(void)user, (void)name;
	return NULL;
}

/* Asks as an administrator; the answer's status. */
static int ask(const struct command *c, const char *method, const char *path, const char *body)
{
	struct request rq = { .method = method,
			      .path = path,
			      .type = "application/merge-patch+json",
			      .body = body,
			      .len = strlen(body),
			      .query = no_query,
			      .who = { "admin", "system:admin" } };
	struct answer a = { 0 };

	rest_answer(c->s, &rq, &a);
	str_reset(c->words);
	str_add(c->words, str_text(&a.body));
	str_add(c->words, "\n");
	str_free(&a.body);
	return a.status;
}

/* With the version that is there now, or made anew. */
static int put(const struct command *c, const char *path, const char *body)
{
	_json_ struct json *o = NULL, *there = NULL, *m = NULL;
	_free_ char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
	_str_ struct str text = { 0 };
	int status = ask(c, "GET", path, "");

	if (json_parse(body, strlen(body), &o, NULL) < 0 || !is_object(o))
		return 400;
	if (status == 200)
		json_parse(c->words->p, c->words->len, &there, NULL);
	m = json_copy(json_get(o, "metadata", NULL)) ?: json_object();
	json_set_str(m, "name", strrchr(path, '/') + 1);
	json_set_str(m, "resourceVersion", meta(there, "resourceVersion"));
	json_set(o, "metadata", TAKE_PTR(m));
	json_print(o, 0, &text);
	return there ? ask(c, "PUT", path, text.p) : ask(c, "POST", folder, text.p);
}

static const char *object(const struct command *c)
{
	char *body = strchrnul(c->rest, ' ');
	int status;

	if (*body)
		*body++ = 0;
	if (*c->rest != '/')
		return "a path is wanted";
	if (str_eq(c->word, "get"))
		status = ask(c, "GET", c->rest, "");
	else if (str_eq(c->word, "put"))
		status = put(c, c->rest, body);
	else if (str_eq(c->word, "patch"))
		status = ask(c, "PATCH", c->rest, body);
	else
		status = ask(c, "DELETE", c->rest, "");
	return status < 300 ? NULL : "refused";
}

static const char *obey(const struct command *c)
{
	static const struct {
		const char *word;
		const char *(*run)(const struct command *c);
	} rows[] = {
		{ "up", reach },      { "down", reach },	 { "refuse", reach },
		{ "cut", cut },	      { "heal", heal },		 { "lose", count },
		{ "delay", count },   { "snapshot", turn_back }, { "restore", turn_back },
		{ "get", object },    { "put", object },	 { "patch", object },
		{ "delete", object },
	};
	const char *problem = "no such command";

	pthread_mutex_lock(&c->x->lock);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq(rows[i].word, c->word))
			problem = rows[i].run(c);
	pthread_mutex_unlock(&c->x->lock);
	return problem;
}

/* Up to the end of the line, or of what is sent. */
static void read_line(int fd, struct str *line)
{
	char part[4096];
	ssize_t n;

	while (!strchr(str_text(line), '\n') && (n = read(fd, part, sizeof part)) > 0)
		str_add_n(line, part, (size_t)n);
}

static void write_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	while (len && (n = write(fd, text, len)) > 0) {
		text += n;
		len -= (size_t)n;
	}
}

static void serve_one(int fd, struct store *s, struct faults *x)
{
	_str_ struct str line = { 0 }, words = { 0 }, out = { 0 };
	struct command c = { .s = s, .x = x, .words = &words };
	const char *problem;

	read_line(fd, &line);
	str_add(&line, "");
	c.word = str_trim(line.p);
	c.rest = strchrnul(c.word, ' ');
	if (*c.rest)
		*c.rest++ = 0;
	problem = obey(&c);
	if (problem)
		str_addf(&out, "error: %s\n", problem);
	else
		str_add(&out, "ok\n");
	str_add(&out, str_text(&words));
	write_all(fd, out.p, out.len);
}

static int address_of(const char *path, struct sockaddr_un *at)
{
	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof at->sun_path)
		return -ENAMETOOLONG;
	memcpy(at->sun_path, path, strlen(path));
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int tell_serve(const char *path, struct store *s, struct faults *x, struct fault *f)
{
	struct sockaddr_un at;
	int fd = address_of(path, &at), client;

	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 16) < 0)
		return fault_errno(f, "%s", path);
	puts("ready");
	fflush(stdout);
	for (;;) {
		client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (client < 0)
			continue;
		serve_one(client, s, x);
		close(client);
	}
}

int tell(const char *path, char **words)
{
	_str_ struct str line = { 0 }, answer = { 0 };
	struct sockaddr_un at;
	int fd = address_of(path, &at);
	char part[4096];
	ssize_t n;

	for (; *words; words++)
		str_addf(&line, "%s%s", line.len ? " " : "", *words);
	for (size_t i = 0; i < line.len; i++)
		if (line.p[i] == '\n')
			line.p[i] = ' ';
	str_add(&line, "\n");
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		fprintf(stderr, "api: %s: %s\n", path, strerror(errno));
		return 1;
	}
	write_all(fd, line.p, line.len);
	while ((n = read(fd, part, sizeof part)) > 0)
		str_add_n(&answer, part, (size_t)n);
	close(fd);
	if (!str_starts(str_text(&answer), "ok\n")) {
		fprintf(stderr, "api: %s", answer.len ? answer.p : "no answer\n");
		return 1;
	}
	fputs(answer.p + strlen("ok\n"), stdout);
	return 0;
}
