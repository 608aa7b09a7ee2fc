/* The server of network boot, asked by our own client. */
#include "tests/unit/test.h"

#include "lib/crypto.h"
#include "lib/http.h"
#include "lib/httpd.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void handle(void *user, const struct httpd_request *rq, struct httpd_reply *reply)
{
	const char *mac = httpd_query(rq, "mac");

	(void)user;
	if (str_eq(rq->path, "/file")) {
		reply->status = 200;
		reply->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		reply->size = 4096;
	} else if (str_eq(rq->path, "/echo")) {
		reply->status = 200;
		str_addf(&reply->body, "%s %s %s %s %s", rq->method, rq->peer,
			 rq->token ? rq->token : "-", mac ? mac : "-", rq->body);
	}
}

/* One request; the status, or the error. */
static int ask(const struct httpd *h, const char *scheme, const char *path, const char *pin,
	       const char *body, size_t len, struct str *text)
{
	_free_ char *url = mem_printf("%s://127.0.0.1:%d%s", scheme, httpd_port(h), path);
	const struct http_request rq = { .url = url,
					 .method = body ? "POST" : "GET",
					 .body = body,
					 .body_len = len,
					 .bearer = "secret",
					 .pinned_key = pin };
	_http_ struct http_response rs = { 0 };
	int r = http_do(&rq, &rs, NULL);

	if (r < 0)
		return r;
	str_add_n(text, str_text(&rs.body), rs.body.len);
	return rs.status;
}

static void test_plain(void **state)
{
	const struct httpd_config c = { .address = "127.0.0.1", .handle = handle };
	_str_ struct str text = { 0 }, file = { 0 }, big = { 0 }, none = { 0 };
	_httpd_ struct httpd *h = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(httpd_start(&c, &h, &f), 0);
	assert_int_equal(ask(h, "http", "/echo?mac=aa-bb", NULL, "words", 5, &text), 200);
	assert_string_equal(text.p, "POST 127.0.0.1 secret aa-bb words");
	assert_int_equal(ask(h, "http", "/file", NULL, NULL, 0, &file), 200);
	assert_int_equal(file.len, 4096);
	assert_memory_equal(file.p, "\177ELF", 4);
	assert_int_equal(ask(h, "http", "/none", NULL, NULL, 0, &none), 404);
	for (int i = 0; i <= HTTPD_BODY_MAX / 16; i++)
		str_add(&big, "0123456789abcdef");
	str_reset(&text);
	assert_int_equal(ask(h, "http", "/echo", NULL, big.p, big.len, &text), 413);
}

/* The key counts and nothing else: not the name, not the date, no CA. */
static void test_pinned(void **state)
{
	_secret_ struct str key = { 0 }, other = { 0 };
	_str_ struct str cert = { 0 }, cert2 = { 0 }, text = { 0 };
	_free_ char *pin = NULL, *pin2 = NULL;
	struct httpd_config c = { .address = "127.0.0.1", .handle = handle };
	const struct cert_request rq = { .common_name = "x", .days = 1, .server = true };
	_httpd_ struct httpd *h = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(crypto_key_new(KEY_PKCS8, &key, &f), 0);
	assert_int_equal(crypto_key_new(KEY_PKCS8, &other, &f), 0);
	assert_int_equal(crypto_cert_new(&rq, key.p, NULL, NULL, &cert, &f), 0);
	assert_int_equal(crypto_cert_new(&rq, other.p, NULL, NULL, &cert2, &f), 0);
	assert_int_equal(crypto_key_pin(cert.p, &pin, &f), 0);
	assert_int_equal(crypto_key_pin(cert2.p, &pin2, &f), 0);
	c.cert_pem = cert.p;
	c.key_pem = key.p;
	assert_int_equal(httpd_start(&c, &h, &f), 0);
	assert_int_equal(ask(h, "https", "/echo", pin, NULL, 0, &text), 200);
	assert_int_equal(ask(h, "https", "/echo", pin2, NULL, 0, &text), -EACCES);
	assert_int_equal(ask(h, "https", "/echo", NULL, NULL, 0, &text), -EACCES);
}

static void test_address_taken(void **state)
{
	struct httpd_config c = { .address = "127.0.0.1", .handle = handle };
	_httpd_ struct httpd *first = NULL, *second = NULL;
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(httpd_start(&c, &first, &f), 0);
	c.port = httpd_port(first);
	assert_int_equal(httpd_start(&c, &second, &f), -EADDRINUSE);
	assert_non_null(strstr(f.text, "cannot be listened on"));
	c.address = "localhost";
	assert_int_equal(httpd_start(&c, &second, &f), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_address_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
