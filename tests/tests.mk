# What the tests are and how they run. Included by the Makefile.
# `check` is what the README and CI run; each part can be run alone.

ASAN := BUILD=build/asan VARIANT_CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
        VARIANT_LDFLAGS="-fsanitize=address,undefined"
JOBS := $(shell nproc)

.PHONY: check check-fast check-lab lab lab-down
check: check-fast ## all fast tests and a short list of lab cases (root; at most 20 minutes)
	tests/lab/run --list short

check-fast: ## everything that needs no booted node
	tests/deps test
	@$(MAKE) --no-print-directory -j$(JOBS) all
	@$(MAKE) --no-print-directory -j$(JOBS) $(TESTS:%=$(BUILD)/tests/unit/%) $(FUZZERS:%=$(BUILD)/tests/fuzz/%)
	@$(MAKE) --no-print-directory unit fuzz-replay golden docs-check build-check check-assets check-steps check-double check-db check-flash sim sim-mutants sim-db sim-db-mutants
	@$(MAKE) --no-print-directory check-asan shell-check

check-lab: ## every lab case, every fault of the database, and the API client against a real API server (root, two hours with K3s)
	tests/deps test
	@$(MAKE) --no-print-directory check-db-full
	@$(MAKE) --no-print-directory -j$(JOBS) contract
	tests/lab/run --list full

lab: ## boots three nodes from their seeds and ends with three Ready K3s servers (root; fails without K3s)
	tests/lab/lab up

lab-down: ## ends the lab and removes all that is its own (what stays: docs/lab.md)
	tests/lab/lab down

# Every shell script: by its first line, by what it tells shellcheck of itself, or by its name.
SHELL_FILES = $(sort $(shell { grep -rlE '^\#!.*(ba)?sh|^\# shellcheck shell=' tests .ci docs image; \
                find tests .ci docs image -name '*.sh' -o -name '*.bash'; } 2>/dev/null | grep -v '/fixtures/'))

.PHONY: shell-check
shell-check: ## shellcheck over every script
	@printf '%s\n' $(SHELL_FILES) | xargs -P $(JOBS) -n 12 shellcheck -x

.PHONY: lint analyze fuzz
lint: shell-check ## clang-tidy over the product's sources, shellcheck over every script
	clang-tidy --quiet $(SOURCES) -- $(ALL_CFLAGS) -Wno-unknown-warning-option

# (gcc 12 takes a pointer that is stored behind a resized array for lost: leaks are the sanitizer's to find)
analyze: ## gcc -fanalyzer over the product's sources
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build/analyze VARIANT_CFLAGS="-O1 -g -fanalyzer -Wno-analyzer-malloc-leak -Werror" $(SOURCES:%.c=build/analyze/%.o)

FUZZ_SECONDS ?= 60
fuzz: ## every fuzz target for FUZZ_SECONDS, from its corpus (clang with libFuzzer)
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz FUZZ_DRIVER= VARIANT_LDFLAGS="-fsanitize=fuzzer,address,undefined" \
		VARIANT_CFLAGS="-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all" $(FUZZERS:%=build/fuzz/tests/fuzz/%)
	@set -e; for f in $(FUZZERS); do n=$${f#fuzz_}; mkdir -p build/fuzz/new/$$n; \
		build/fuzz/tests/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/fuzz/ build/fuzz/new/$$n tests/fuzz/corpus/$$n; done

.PHONY: bench
bench: $(BUILD)/phoenix ## figures as JSON lines; ONLY=NAME for one
	tests/bench/run $< $(ONLY)

.PHONY: unit fuzz-replay check-asan
unit: $(TESTS:%=$(BUILD)/tests/unit/%) ## unit tests
	@set -e; for t in $^; do echo "== $${t##*/}"; $$t; done

fuzz-replay: $(FUZZERS:%=$(BUILD)/tests/fuzz/%) ## replays every corpus
	@set -e; for t in $^; do n=$${t##*/fuzz_}; echo "== fuzz $$n"; $$t tests/fuzz/corpus/$$n; done

check-asan: ## unit, corpus and golden tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory -j$(JOBS) $(ASAN) all $(TESTS:%=build/asan/tests/unit/%) $(FUZZERS:%=build/asan/tests/fuzz/%)
	@$(MAKE) --no-print-directory $(ASAN) unit fuzz-replay golden

# The Kubernetes API without Kubernetes.
API_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/double/api*.c))
$(BUILD)/tests/double/api: $(API_OBJECTS) $(BUILD)/libphoenix.a
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LIBS) $(shell $(PKGCONF) --libs libmicrohttpd gnutls)

# Steps of first boot on a machine made of namespaces and loop devices: want root, skipped by name without.
.SECONDARY: $(BUILD)/tests/double/node.o
$(BUILD)/tests/steps/%: tests/steps/%.c $(BUILD)/tests/double/node.o $(BUILD)/libphoenix.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c %.o %.a,$^) $(ALL_LIBS)

.PHONY: check-steps
check-steps: $(BUILD)/tests/steps/drive $(BUILD)/tests/steps/member $(BUILD)/phoenix ## disk, network, firewall, joining, words, for real (root)
	tests/steps/network.sh $<
	tests/steps/firewall.sh $<
	tests/steps/disk.sh $<
	tests/steps/join.sh $(wordlist 1,2,$^)
	tests/steps/words.sh $^

.PHONY: check-assets
check-assets: ## downloads from servers with faults (root)
	tests/image/assets.sh

# Real PostgreSQL and poolers in namespaces.
$(BUILD)/tests/db/route: $(BUILD)/tests/db/pods.o
$(BUILD)/tests/db/%: tests/db/%.c $(BUILD)/libphoenix.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c %.o,$^) $(filter %.a,$^) $(ALL_LIBS) $(shell $(PKGCONF) --libs libpq) -lcmocka

FAILOVER := $(BUILD)/phoenix $(BUILD)/tests/double/api $(BUILD)/tests/db/writer
FAILOVER_SHORT := postgres_killed pod_killed link_cut lease_restored standby_emptied
.SECONDARY: $(BUILD)/tests/db/pods.o
.PHONY: check-db
check-db: $(addprefix $(BUILD)/tests/db/,pg fence route) $(FAILOVER) ## what stands on PostgreSQL, against real servers and poolers (root)
	tests/db/pg.sh $<
	tests/db/fence.sh $(word 2,$^)
	tests/db/route.sh $(wordlist 3,5,$^)
	tests/db/failover.sh $(FAILOVER) async $(FAILOVER_SHORT)
	tests/db/failover.sh $(FAILOVER) sync $(FAILOVER_SHORT)

.PHONY: check-db-full
check-db-full: $(FAILOVER) ## every fault of three database pods, both modes (root; a quarter of an hour)
	tests/db/failover.sh $(FAILOVER) async
	tests/db/failover.sh $(FAILOVER) sync

# In memory where there is any: disks of 1.2 GB are written and synced some forty times.
$(BUILD)/tests/image/%: tests/image/%.c $(BUILD)/tests/double/node.o $(BUILD)/libphoenix.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $(filter %.c %.o %.a,$^) $(ALL_LIBS)

.PHONY: check-flash
check-flash: $(BUILD)/phoenix $(BUILD)/tests/image/cluster ## phoenix flash, pxe and install on files, loop devices and a network of their own (root)
	TMPDIR=$$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) tests/image/flash.sh $<
	TMPDIR=$$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) tests/image/pxe.sh $<
	TMPDIR=$$([ -w /dev/shm ] && echo /dev/shm || echo /tmp) tests/image/self.sh $(wordlist 1,2,$^)

.PHONY: check-image
check-image: $(BUILD)/phoenix ## the images, made, compared, and booted on emulated machines (root; two hours, wants Debian's archive)
	tests/deps test
	DISTRIBUTION=debian image/build disk
	tests/image/containers.sh
	tests/image/reproducible.sh build/image/debian-trixie
	tests/image/boot.sh $< build/image/debian-trixie/*.raw.zst
	tests/image/netboot.sh $< build/image/debian-trixie/*.raw.zst
	tests/lab/run --list image

.PHONY: golden docs-check contract
golden: $(BUILD)/phoenix ## inputs in, trees out, each run twice
	tests/golden/run $<

.PHONY: build-check
build-check: $(BUILD)/phoenix ## what `make dist' packs and `make install' puts where
	tests/build/check $(BUILD)

docs-check: $(BUILD)/phoenix ## manual pages, --help and README agree with the program
	tests/docs/check $<

$(BUILD)/tests/contract/%: tests/contract/%.c $(BUILD)/libphoenix.a
	@mkdir -p $(@D)
	$(SAY) TEST $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $< $(BUILD)/libphoenix.a $(ALL_LIBS) -lcmocka

$(BUILD)/tests/double/faults: tests/double/faults.c $(BUILD)/libphoenix.a
	@mkdir -p $(@D)
	$(SAY) TEST $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $< $(BUILD)/libphoenix.a $(ALL_LIBS) -lcmocka

CONTRACTS := $(patsubst tests/contract/%.c,$(BUILD)/tests/contract/%,$(wildcard tests/contract/*.c))
contract: $(CONTRACTS) ## the API client against a real API server (root; skipped by name without K3s)
	tests/contract/on-k3s $^

# (it knows nothing of who may do what, nor what a pod may be)
.PHONY: check-double
check-double: $(BUILD)/tests/double/api $(BUILD)/tests/double/faults $(filter-out %/manifest_contract,$(CONTRACTS)) ## the double of the API server keeps to what the real one is asked (root)
	tests/contract/on-double $^

-include $(wildcard tests/sim*/sim.mk)

-include $(wildcard $(BUILD)/tests/contract/*.d $(BUILD)/tests/steps/*.d $(BUILD)/tests/image/*.d $(BUILD)/tests/double/*.d $(BUILD)/tests/db/*.d)
