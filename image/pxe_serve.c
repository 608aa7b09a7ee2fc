/* See pxe_serve.h. */
#include "image/pxe_serve.h"

#include "lib/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_DAYS 30

static void text(struct httpd_reply *reply, int status, const char *what)
{
	reply->status = status;
	str_add(&reply->body, what);
}

static void file(struct httpd_reply *reply, const char *path)
{
	struct stat st;

	reply->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (reply->fd < 0 || fstat(reply->fd, &st) < 0) {
		if (reply->fd >= 0)
			close(reply->fd);
		reply->fd = -1;
		text(reply, 500, "the server cannot read its own file\n");
		return;
	}
	reply->status = 200;
	reply->type = "application/octet-stream";
	reply->size = (uint64_t)st.st_size;
}

/* What iPXE does. A machine that is done leaves network boot, in the way that its firmware knows. */
static void script(const struct pxe_serve *s, const char *mac, const char *peer,
		   struct httpd_reply *reply)
{
	char token[65];
	int r = pxe_boot(s->nodes, mac, peer, token);

	if (r == -ENOENT || r == -EPERM) {
		text(reply, r == -ENOENT ? 404 : 403, "not a machine of the description\n");
		return;
	}
	reply->status = 200;
	str_add(&reply->body, "#!ipxe\n");
	if (r == 0)
		str_add(&reply->body, "iseq ${platform} pcbios && sanboot --no-describe --drive "
				      "0x80 ||\nexit\n");
	else if (r == -EAGAIN)
		str_addf(&reply->body,
			 "echo the cluster is asked whether it can do without this machine\n"
			 "sleep 3\n"
			 "chain --replace http://%s:%d/boot?mac=${net0/mac}\n",
			 s->address, s->http_port);
	else if (r < 0)
		str_add(&reply->body, "echo this machine is being written already: two machines "
				      "with one MAC?\nsleep 60\nreboot\n");
	else
		str_addf(&reply->body,
			 "kernel http://%s:%d/kernel initrd=initrd " ORDER_SERVER "=https://%s:%d "
			 "" ORDER_PIN "=%s " ORDER_TOKEN "=%s ip=dhcp BOOTIF=01-${net0/mac:hexhyp} "
			 "console=tty0 console=ttyS0,115200\n"
			 "initrd --name initrd http://%s:%d/initrd\n"
			 "boot\n",
			 s->address, s->http_port, s->address, s->tls_port, s->pin, token,
			 s->address, s->http_port);
}

static void handle_plain(void *user, const struct httpd_request *rq, struct httpd_reply *reply)
{
	const struct pxe_serve *s = user;
	const char *mac = httpd_query(rq, "mac");

	if (!str_eq(rq->method, "GET"))
		text(reply, 405, "GET only\n");
	else if (str_eq(rq->path, "/boot"))
		script(s, mac ? mac : "", rq->peer, reply);
	else if (str_eq(rq->path, "/kernel"))
		file(reply, s->kernel);
	else if (str_eq(rq->path, "/initrd"))
		file(reply, s->initrd);
}

/* Why not, for the person in front of the machine. */
static void refuse(int r, struct httpd_reply *reply)
{
	if (r == -EEXIST)
		text(reply, 410, "the seed was given out already: boot again\n");
	else if (r == -EAGAIN)
		text(reply, 409,
		     "another node is being renewed, or this took too long: boot again\n");
	else
		text(reply, 403, "this token does not hold\n");
}

static void order(const struct pxe_serve *s, const struct httpd_request *rq,
		  struct httpd_reply *reply)
{
	_order_ struct order o = { 0 };
	int r = pxe_order(s->nodes, rq->token, rq->peer, &o);

	if (r < 0) {
		refuse(r, reply);
		return;
	}
	reply->status = 200;
	order_print(&o, &reply->body);
}

static void seed(const struct pxe_serve *s, const struct httpd_request *rq,
		 struct httpd_reply *reply)
{
	int r = pxe_seed(s->nodes, rq->token, rq->peer, &reply->body);

	if (r < 0)
		refuse(r, reply);
	else
		reply->status = 200;
}

static void handle_tls(void *user, const struct httpd_request *rq, struct httpd_reply *reply)
{
	const struct pxe_serve *s = user;
	bool post = str_eq(rq->method, "POST");

	if (post && str_eq(rq->path, "/order"))
		order(s, rq, reply);
	else if (post && str_eq(rq->path, "/seed"))
		seed(s, rq, reply);
	else if (post && str_eq(rq->path, "/tell"))
		text(reply,
		     pxe_tell(s->nodes, rq->token, rq->peer, rq->body, rq->body_len) < 0 ? 403
											 : 200,
		     "");
	else if (!post && str_eq(rq->path, "/image") &&
		 pxe_image(s->nodes, rq->token, rq->peer) < 0)
		text(reply, 403, "this token does not hold\n");
	else if (!post && str_eq(rq->path, "/image"))
		file(reply, s->image);
}

/* A key for this run alone: whoever was booted by it knows its hash. */
static int make_key(struct pxe_serve *s, struct fault *f)
{
	const struct cert_request rq = { .common_name = "phoenix pxe",
					 .days = KEY_DAYS,
					 .server = true };
	_str_ struct str cert = { 0 };
	int r = crypto_key_new(KEY_PKCS8, &s->key, f);

	if (r >= 0)
		r = crypto_cert_new(&rq, s->key.p, NULL, NULL, &cert, f);
	if (r >= 0)
		r = crypto_key_pin(cert.p, &s->pin, f);
	if (r >= 0)
		s->cert = str_take(&cert);
	return r;
}

int pxe_serve_start(struct pxe_serve *s, struct fault *f)
{
	struct httpd_config plain = { .address = s->address,
				      .port = s->http_port,
				      .handle = handle_plain,
				      .user = s },
			    tls = { .address = s->address,
				    .port = s->tls_port,
				    .handle = handle_tls,
				    .user = s };
	int r = make_key(s, f);

	if (r < 0)
		return r;
	tls.cert_pem = s->cert;
	tls.key_pem = s->key.p;
	r = httpd_start(&tls, &s->tls, f);
	if (r < 0)
		return r;
	s->tls_port = httpd_port(s->tls);
	r = httpd_start(&plain, &s->http, f);
	if (r >= 0)
		s->http_port = httpd_port(s->http);
	return r;
}

void pxe_serve_stop(struct pxe_serve *s)
{
	httpd_freep(&s->http);
	httpd_freep(&s->tls);
	free(s->pin);
	free(s->cert);
	str_erase(&s->key);
	s->pin = s->cert = NULL;
}
