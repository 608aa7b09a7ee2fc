/* Certificates and keys from outside: a peer's, a CA file from a seed, an operator's own. */
#include "lib/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_free_ char *pem = mem_strndup((const char *)data, size);
	_secret_ struct str token = { 0 };
	struct cert_info info;
	struct fault f = { 0 };

	if (crypto_cert_info(pem, &info, &f) == 0 &&
	    strlen(info.common_name) >= sizeof info.common_name)
		abort();
	crypto_key_matches(pem, pem, &f);
	crypto_key_is_sec1(pem);
	crypto_cert_verify(pem, pem, -1, &f);
	if (crypto_k3s_token(pem, "password", &token, &f) == 0 && token.len != 3 + 64 + 9 + 8)
		abort();
	return 0;
}
