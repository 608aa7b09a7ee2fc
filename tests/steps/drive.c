/* Runs single steps of first boot on a machine made up by a shell test, and gives it somebody to talk
 * to:
 *   drive seeds DESCRIPTION FOLDER   seeds a, b, c and a-wipe of one cluster
 *   drive step SEED NAME [--plan]    prints "state|text"; status 0 done or changed, 1 otherwise;
 *                                    before `cluster` the node exchange is started
 *   drive state SEED                 what the decision is told of the disk: "ours", or why not
 *   drive listen PORT...             TCP on every address; sends back what it gets, for ever
 *   drive connect ADDRESS PORT [FIFO]  status 0 when an answer came in time; with FIFO the connection
 *                                    stays: each line from it is sent and its echo printed
 *   drive arp INTERFACE ADDRESS      prints who else answers; status 1 when nobody does */
#include "cloud-init/seed_files.h"
#include "firstboot/arp.h"
#include "firstboot/data_mount.h"
#include "firstboot/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LIMIT 300 /* ms; everything here is on one machine */

static int die(const struct fault *f)
{
	fprintf(stderr, "drive: %s\n", f->text);
	return 2;
}

static void write_seed(const struct fs *to, const char *name, const struct seed_files *files)
{
	struct fault f = { 0 };

	if (fs_write(to, name, 0600, files->seed.p, files->seed.len, &f) < 0)
		exit(die(&f));
}

static int seeds(const char *description, const char *folder)
{
	static const char *const names[] = { "a", "b", "c", "a-wipe" };
	_config_ struct cluster_config *c = NULL;
	_secrets_ struct secrets *s = mem_alloc(sizeof *s);
	_fs_ struct fs here = { .fd = -1 }, to = { .fd = -1 };
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };

	if (fs_open(&here, "/", &f) < 0 || fs_read(&here, description, 65536, &text, &f) < 0 ||
	    fs_open(&to, folder, &f) < 0)
		return die(&f);
	if (config_parse(description, text.p, text.len, &c, &d) < 0 ||
	    secrets_issue(s, c, &f) < 0) {
		diags_print(&d);
		return die(&f);
	}
	for (int i = 0; i < 4; i++) {
		_seed_files_ struct seed_files files = { 0 };

		seed_files_make(c, &text, s, i % NODE_COUNT, i == 3, &files);
		write_seed(&to, names[i], &files);
	}
	return 0;
}

static void load(struct boot *b, const char *path)
{
	_str_ struct str text = { 0 };
	_diags_ struct diags d = { 0 };
	struct fault f = { 0 };

	b->live = true;
	if (fs_open(&b->fs, "/", &f) < 0 || fs_read(&b->fs, path, 1 << 20, &text, &f) < 0)
		exit(die(&f));
	if (seed_parse(path, text.p, text.len, &b->seed, &d) < 0) {
		diags_print(&d);
		exit(2);
	}
}

static int step(const char *seed, const char *name, bool plan)
{
	struct step_result results[32] = { 0 };
	struct boot b = { .fs.fd = -1, .plan = plan };
	struct engine e = {
		.boot = &b, .steps = steps, .results = results, .n = engine_count(steps)
	};
	struct fault f = { 0 };
	int r;

	load(&b, seed);
	if (str_eq(name, "cluster") && !plan && engine_step(&e, "exchange", &f) < 0)
		return die(&f);
	r = engine_step(&e, name, &f);
	if (r == -ENOENT && str_starts(f.text, "there is no step"))
		return die(&f);
	for (size_t i = 0; i < e.n; i++)
		if (str_eq(steps[i].name, name))
			printf("%s|%s\n", step_state_name(results[i].state), results[i].text);
	if (b.agent) /* its threads go on to the end of the process */
		return r == 0 ? 0 : 1;
	seed_freep(&b.seed);
	fs_close(&b.fs);
	return r == 0 ? 0 : 1;
}

static int state(const char *seed)
{
	struct boot b = { .fs.fd = -1 };
	struct fault f = { 0 };
	bool ours;

	load(&b, seed);
	if (data_state(&b, &ours, &f) < 0)
		return die(&f);
	puts(ours ? "ours" : f.text);
	seed_freep(&b.seed);
	fs_close(&b.fs);
	return ours ? 0 : 1;
}

static int open_listener(const char *port)
{
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), off = 0, on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 8) < 0) {
		perror(port);
		exit(2);
	}
	return fd;
}

static int listen_on(char **ports)
{
	struct pollfd fds[64];
	nfds_t listeners = 0, n;

	while (ports[listeners] && listeners < 32) {
		fds[listeners] = (struct pollfd){ open_listener(ports[listeners]), POLLIN, 0 };
		listeners++;
	}
	n = listeners;
	puts("listening");
	fflush(stdout);
	while (poll(fds, n, -1) >= 0) {
		nfds_t now = n;

		for (nfds_t i = 0; i < now; i++) {
			char buf[256];
			ssize_t got;

			if (!fds[i].revents)
				continue;
			if (i < listeners) {
				int fd = accept(fds[i].fd, NULL, NULL);

				if (n < ARRAY_LEN(fds))
					fds[n++] = (struct pollfd){ fd, POLLIN, 0 };
				continue;
			}
			got = read(fds[i].fd, buf, sizeof buf);
			if (got <= 0 || write(fds[i].fd, buf, (size_t)got) != got) {
				close(fds[i].fd);
				fds[i] = fds[--n];
				now = n < now ? n : now;
			}
		}
	}
	return 2;
}

static int echo(int fd, const char *text)
{
	char buf[256];
	ssize_t n;

	if (write(fd, text, strlen(text)) < 0 || (n = read(fd, buf, sizeof buf)) <= 0)
		return 1;
	fwrite(buf, 1, (size_t)n, stdout);
	fflush(stdout);
	return 0;
}

static int connect_to(const char *address, const char *port, const char *fifo)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST }, *to;
	struct timeval limit = { .tv_usec = LIMIT * 1000 };
	char line[128];
	FILE *lines;
	int fd;

	if (getaddrinfo(address, port, &hints, &to) != 0)
		return 2;
	fd = socket(to->ai_family, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0 || echo(fd, "hello\n") != 0)
		return 1;
	freeaddrinfo(to);
	lines = fifo ? fopen(fifo, "r") : NULL;
	while (lines && fgets(line, sizeof line, lines))
		if (echo(fd, line) != 0)
			return 1;
	return 0;
}

static int arp(const char *interface, const char *address)
{
	struct fault f = { 0 };
	char mac[18];
	int r = arp_probe(interface, address, 300, mac, &f);

	if (r < 0)
		return die(&f);
	if (r > 0)
		puts(mac);
	return r > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (str_eq(what, "seeds") && argc == 4)
		return seeds(argv[2], argv[3]);
	if (str_eq(what, "step") && argc >= 4)
		return step(argv[2], argv[3], argc == 5 && str_eq(argv[4], "--plan"));
	if (str_eq(what, "state") && argc == 3)
		return state(argv[2]);
	if (str_eq(what, "listen") && argc > 2)
		return listen_on(argv + 2);
	if (str_eq(what, "connect") && argc >= 4)
		return connect_to(argv[2], argv[3], argc > 4 ? argv[4] : NULL);
	if (str_eq(what, "arp") && argc == 4)
		return arp(argv[2], argv[3]);
	fputs("see the first lines of tests/steps/drive.c\n", stderr);
	return 2;
}
