# ThreePhoenix. `make help` lists the targets.
# Objects live under build/<variant>/, never beside the sources; user CFLAGS come last.

VERSION  := $(shell cat VERSION)
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build/release
CC       ?= cc
PKGCONF  ?= pkg-config
PACKAGES := yaml-0.1 jansson openssl blkid
# loaded when a command needs them (lib/library.h): their headers only
LOADED   := libcurl fdisk libzstd liblzma libmicrohttpd libpq

ifeq ($(origin CC),default)
CC := cc
endif

WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wformat=2 \
            -Wpointer-arith -Wwrite-strings -Wvla -Wno-format-nonliteral -Wno-missing-field-initializers \
            -Wno-format-truncation
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
FORTIFY  := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
OPT      := -O2 -g
VARIANT_CFLAGS  ?= $(OPT) $(FORTIFY) $(HARDEN)
VARIANT_LDFLAGS ?= -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed
ifeq ($(CI),true)
WARN += -Werror
endif

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -I. -DPHOENIX_VERSION='"$(VERSION)"' $(WARN) $(VARIANT_CFLAGS) \
             $(shell $(PKGCONF) --cflags $(PACKAGES) $(LOADED)) -MMD -MP $(CFLAGS)
ALL_LIBS   = $(shell $(PKGCONF) --libs $(PACKAGES))

# V=1 shows the commands
ifeq ($(V),1)
Q :=
SAY := @true
else
Q := @
SAY := @echo ' '
endif

FOLDERS  := lib cloud-init firstboot phoenix-job image
SOURCES  := phoenix.c $(foreach d,$(FOLDERS),$(wildcard $(d)/*.c))
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
MODULES  := $(filter-out $(BUILD)/phoenix.o,$(OBJECTS))
TESTS    := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all help clean install dist deps
all: $(BUILD)/phoenix

help: ## lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

$(BUILD)/phoenix: $(OBJECTS)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -o $@ $^ $(ALL_LIBS)

$(BUILD)/%.o: %.c Makefile VERSION
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Everything but main, for the tests.
$(BUILD)/libphoenix.a: $(MODULES)
	$(Q)rm -f $@ && ar rcs $@ $^

# The module that PostgreSQL loads: for one major version, by its headers, wherever they lie.
POSTGRESQL ?= 17
PG_HEADERS ?= /usr/include
FENCE_CFLAGS = -std=gnu17 -D_GNU_SOURCE -I. -isystem $(PG_HEADERS)/postgresql/$(POSTGRESQL)/server \
               -isystem $(PG_HEADERS)/mit-krb5 -Wall -Wextra -Werror -Wno-unused-parameter $(OPT) $(FORTIFY) \
               -fPIC -fstack-protector-strong $(CFLAGS)
$(BUILD)/phoenix_fence.so: phoenix-job/fence/phoenix_fence.c phoenix-job/permit.h Makefile
	@mkdir -p $(@D)
	$(SAY) LINK $@
	$(Q)$(CC) $(FENCE_CFLAGS) -shared -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -o $@ $<

# Unit tests: one program a module, cmocka. (They compress what the product unpacks.)
TEST_LIBS = $(shell $(PKGCONF) --libs libzstd liblzma)
$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libphoenix.a
	@mkdir -p $(@D)
	$(SAY) TEST $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $< $(BUILD)/libphoenix.a $(ALL_LIBS) $(TEST_LIBS) -lcmocka

# Fuzz targets: with libFuzzer in the fuzz variant; elsewhere a driver that replays the corpus.
FUZZ_DRIVER ?= tests/fuzz/replay.c
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(FUZZ_DRIVER) $(BUILD)/libphoenix.a
	@mkdir -p $(@D)
	$(SAY) TEST $@
	$(Q)$(CC) $(ALL_CFLAGS) $(VARIANT_LDFLAGS) $(LDFLAGS) -MF $@.d -o $@ $< $(FUZZ_DRIVER) $(BUILD)/libphoenix.a $(ALL_LIBS)

# What a node installs into the cluster, of firstboot/manifests: each once the programs in it are there.
MANIFESTS := 10-base.yaml

# What goes where: SOURCE:FOLDER:NAME. A folder without files of its kind installs none.
INSTALL := $(foreach f,$(wildcard units/*.service),$(f):lib/systemd/system:$(notdir $(f))) \
           $(foreach f,$(wildcard units/*.tmpfiles),$(f):lib/tmpfiles.d:$(basename $(notdir $(f))).conf) \
           $(foreach f,$(wildcard docs/man/*.1),$(f):share/man/man1:$(notdir $(f))) \
           $(foreach f,$(wildcard docs/man/*.5),$(f):share/man/man5:$(notdir $(f))) \
           $(foreach f,$(MANIFESTS),firstboot/manifests/$(f):share/threephoenix/manifests:$(f)) \
           docs/completion/phoenix.bash:share/bash-completion/completions:phoenix

install: all ## program, units, man pages, completion below $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/phoenix $(DESTDIR)$(PREFIX)/bin/phoenix
	@# the units name the program where it is installed
	@set -e; for i in $(INSTALL); do IFS=:; set -- $$i; install -D -m 644 $$1 $(DESTDIR)$(PREFIX)/$$2/$$3; done
	@sed -i 's|/usr/bin/phoenix|$(PREFIX)/bin/phoenix|' $(DESTDIR)$(PREFIX)/lib/systemd/system/phoenix-firstboot.service

.PHONY: install-fence
install-fence: $(BUILD)/phoenix_fence.so ## the module of PostgreSQL $(POSTGRESQL), where Debian's and Ubuntu's looks for it
	install -D -m 644 $< $(DESTDIR)$(PREFIX)/lib/postgresql/$(POSTGRESQL)/lib/$(<F)

.PHONY: image
image: ## the disk image and what lies beside it (root); DISTRIBUTION=ubuntu|debian, RELEASE, AIRGAP=1, SIGN_KEY=FILE
	image/build disk

.PHONY: assets assets-update
assets: ## fetches and checks what image/assets.lock names; ONLY=NAME for one
	image/assets fetch $(ONLY)

assets-update: ## proposes newer versions of it
	image/assets update $(ONLY)

dist: ## a source archive of the committed tree
	@mkdir -p build
	git archive --format=tar.gz --prefix=threephoenix-$(VERSION)/ -o build/threephoenix-$(VERSION).tar.gz HEAD

clean: ## removes build/ (a lab must be down)
	rm -rf build

include tests/tests.mk

-include $(OBJECTS:.o=.d) $(TESTS:%=$(BUILD)/tests/unit/%.d) $(FUZZERS:%=$(BUILD)/tests/fuzz/%.d)
