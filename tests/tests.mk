# What the tests are and how they run. Included by the Makefile.

ASAN := BUILD=build/asan VARIANT_CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
        VARIANT_LDFLAGS="-fsanitize=address,undefined"

.PHONY: unit fuzz-replay check-asan
unit: $(TESTS:%=$(BUILD)/tests/unit/%) ## unit tests
	@set -e; for t in $^; do echo "== $${t##*/}"; $$t; done

fuzz-replay: $(FUZZERS:%=$(BUILD)/tests/fuzz/%) ## replays every corpus
	@set -e; for t in $^; do n=$${t##*/fuzz_}; echo "== fuzz $$n"; $$t tests/fuzz/corpus/$$n; done

check-asan: ## unit and corpus under AddressSanitizer and UBSan
	$(MAKE) $(ASAN) unit fuzz-replay
