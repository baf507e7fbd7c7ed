# Regway.  make help tells the targets; everything below can be overridden.
VERSION  = 0.1.0
PREFIX  ?= /usr/local
SYSCONF ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
CC      ?= cc
CFLAGS  ?= -O2 -g
V       ?=
MAKEFLAGS += --no-print-directory
# What is built is named; V=1 shows the commands.
Q        = $(if $(V),,@)
SAY      = @$(if $(V),:,printf '  %-5s %s\n')
SAN     ?=
WERROR  ?=

# One build folder a flavour, so that switching costs nothing.
B       := $(or $(BUILD),$(if $(SAN),build-san,$(if $(COV),build-cov,build)))
PKGS     = libre inih glib-2.0 libcares jansson libcrypto libssl
DEPS     = pkg-config gcc libre-dev libinih-dev libglib2.0-dev libc-ares-dev libjansson-dev \
           libssl-dev libsystemd-dev libmnl-dev
TESTDEPS = clang libcmocka-dev python3 kamailio kamailio-sqlite-modules kamailio-tls-modules sip-tester \
           dnsmasq-base iproute2 iptables faketime lcov systemd-container dbus \
           rtpengine-daemon baresip-core

WARN     = -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes -Wstrict-prototypes -Wvla \
           $(if $(WERROR),-Werror)
SANFLAGS = $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
COVFLAGS = $(if $(COV),--coverage)
RE_VER  := $(shell pkg-config --modversion libre 2>/dev/null | awk -F. '{printf "%d%02d%02d",$$1,$$2,$$3}')
# libre's headers need these and its pkg-config does not give them (1.1.0)
RE_DEFS  = -DHAVE_INTTYPES_H -DHAVE_STDBOOL_H -DHAVE_INET6 -DUSE_OPENSSL -DRE_VER=$(or $(RE_VER),0)
SYSTEMD := $(shell pkg-config --exists libsystemd 2>/dev/null && echo yes)
ALLCFLAGS = -std=c11 -D_GNU_SOURCE $(WARN) $(CFLAGS) $(SANFLAGS) $(COVFLAGS) -Icore -Icore/include \
           -DRG_VERSION='"$(VERSION)"' -DRG_PREFIX='"$(PREFIX)"' -DRG_SYSCONF='"$(SYSCONF)"' \
           $(if $(SYSTEMD),-DRG_SYSTEMD) \
           $(patsubst -I/%,-isystem /%,$(shell pkg-config --cflags $(PKGS) 2>/dev/null))
LIBS     = $(shell pkg-config --libs $(PKGS) $(if $(SYSTEMD),libsystemd) 2>/dev/null) -ldl -lpthread -lm
PLUGCFLAGS = -std=c11 $(WARN) $(CFLAGS) $(SANFLAGS) $(COVFLAGS) -Icore/include \
           -DRG_VERSION='"$(VERSION)"' -fPIC -fvisibility=hidden
# Libraries of single plugins, which the daemon does not link.
PLUGLIBS_link = -lmnl
PLUGLDFLAGS = -shared $(if $(SAN)$(COV),,-Wl,-z,defs) -Wl,-z,now

# Layers, from the bottom up.  A program links those it may know; make lint holds
# their includes to the same order.
LAYERS   = base conf policy reg sip relay
src      = $(sort $(wildcard core/$(1)/*.c))
obj      = $(patsubst %.c,$(B)/%.o,$(call src,$(1)))
LIBS_OF  = $(foreach l,$(1),$(B)/lib/$(l).a)
ENGINE   = $(call LIBS_OF,reg policy conf base)
DAEMON   = $(call LIBS_OF,relay sip reg policy conf base)

PLUGIN_SRC := $(sort $(wildcard plugins/*.c))
PLUGINS  = $(PLUGIN_SRC:plugins/%.c=$(B)/plugins/%.so)
PROGRAMS = $(foreach p,regwayd regwayctl regwaysim,$(if $(call src,$(PROG_$(p))),$(B)/$(p)))
PROG_regwayd = main
PROG_regwayctl = ctl
PROG_regwaysim = sim

UNIT     = $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/*.c))
POLICY   = $(patsubst tests/policy/test_%.c,$(B)/tests/policy/test_%,$(wildcard tests/policy/test_*.c))
FUZZ     = $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))

.PHONY: all run check deps test-deps install uninstall fuzz bench lint format coverage docs clean help test-programs
.SECONDARY:

all: $(PROGRAMS) $(PLUGINS)

help:
	@sed -n 's/^## //p' Makefile

## all              build the programs and the plugins (no network, no root); V=1 shows how
## run              install what is missing, build, show a demo until Ctrl-C
## check [T=WORD]   install what is missing, build, run every test, or those with WORD in their name
## SAN=address,undefined check    the same under sanitizers, in build-san/
## deps test-deps   only install the packages that are missing
## install uninstall              DESTDIR and PREFIX respected; no package is made here
## fuzz T=NAME [FUZZ_S=60]        one fuzz target
## bench            benchmarks against peers, as tables and build/bench/*.json
## lint             include directions, the plugins' symbols, columns
## format           of the lines that were changed
## coverage         a test run with line and branch counts, in build-cov/
## docs             docs/parameters.md, from the schema
## clean            remove the build folders

# ---- objects -------------------------------------------------------------------
$(B)/core/sip/%.o: EXTRA = $(RE_DEFS)
$(B)/core/relay/%.o: EXTRA = $(RE_DEFS)
$(B)/core/main/%.o: EXTRA = $(RE_DEFS)
$(B)/core/%.o: core/%.c Makefile
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(ALLCFLAGS) $(EXTRA) -MMD -MP -c $< -o $@

# The prefix is compiled in: "make" and then "make install PREFIX=/usr" must not keep the old one.
$(B)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX) $(SYSCONF)' | cmp -s - $@ || echo '$(PREFIX) $(SYSCONF)' > $@
.PHONY: FORCE
$(B)/core/main/main.o $(B)/core/sim/main.o: $(B)/prefix

define archive
$(B)/lib/$(1).a: $(call obj,$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call archive,$(l))))

$(B)/regwayd: $(call obj,main) $(DAEMON)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALLCFLAGS) $(LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS) -o $@
$(B)/regwayctl: $(call obj,ctl) $(call LIBS_OF,base)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALLCFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(LIBS) -o $@
$(B)/regwaysim: $(call obj,sim) $(ENGINE)
	$(SAY) LINK $@
	$(Q)$(CC) $(ALLCFLAGS) $(LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS) -o $@
$(B)/plugins/%.so: plugins/%.c $(wildcard plugins/*.h) core/include/regway/plugin.h Makefile
	@mkdir -p $(@D)
	$(SAY) SO $<
	$(Q)$(CC) $(PLUGCFLAGS) $< $(PLUGLDFLAGS) $(PLUGLIBS_$*) -o $@

# ---- tests ---------------------------------------------------------------------
# tests/unit/LAYER_NOUN.c links the layer and those below it; tests/policy/test_*.c
# links every plugin of plugins/ statically.
TESTFLAGS = $(ALLCFLAGS) -Itests -Wno-missing-prototypes
below     = $(foreach l,$(LAYERS),$(if $(filter $(l),$(1)),,))$(call LIBS_OF,$(DEP_$(1)))
DEP_base   = base
DEP_conf   = conf base
DEP_policy = policy conf base
DEP_reg    = reg policy conf base
DEP_sip    = sip reg policy conf base
DEP_relay  = relay sip reg policy conf base
DEP_main   = relay sip reg policy conf base
define unit
$(B)/tests/unit/$(1): tests/unit/$(1).c $(call LIBS_OF,$(DEP_$(firstword $(subst _, ,$(1)))))
	@mkdir -p $$(@D)
	$$(SAY) TEST $$<
	$$(Q)$$(CC) $$(TESTFLAGS) $$(RE_DEFS) -MMD -MP $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS) -lcmocka -o $$@
endef
$(foreach t,$(notdir $(UNIT)),$(eval $(call unit,$(t))))

# Each fuzz target with a main that replays its corpus.
$(B)/tests/fuzz/%: tests/fuzz/%.c tests/replay.c $(call LIBS_OF,$(LAYERS))
	@mkdir -p $(@D)
	$(SAY) TEST $<
	$(Q)$(CC) $(TESTFLAGS) $(RE_DEFS) -DRG_STATIC $(filter %.c,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS) -o $@

$(B)/static/%.o: plugins/%.c $(wildcard plugins/*.h) core/include/regway/plugin.h Makefile
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(filter-out -fvisibility=hidden,$(PLUGCFLAGS)) -DRG_STATIC -c $< -o $@
# Policies whose core side is not there yet: built for the tests only, statically and
# as objects for the loader's tests.
TEST_PLUGIN_SRC := $(sort $(wildcard tests/policy/plugins/*.c))
TEST_PLUGINS = $(TEST_PLUGIN_SRC:tests/policy/plugins/%.c=$(B)/tests/plugins/%.so)
$(B)/static/tests/%.o: tests/policy/plugins/%.c core/include/regway/plugin.h Makefile
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(filter-out -fvisibility=hidden,$(PLUGCFLAGS)) -DRG_STATIC -c $< -o $@
$(B)/tests/plugins/%.so: tests/policy/plugins/%.c core/include/regway/plugin.h Makefile
	@mkdir -p $(@D)
	$(SAY) SO $<
	$(Q)$(CC) $(PLUGCFLAGS) $< $(PLUGLDFLAGS) -o $@
$(B)/tests/policy/%.o: tests/policy/%.c $(wildcard tests/policy/*.h) core/include/regway/plugin.h
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(TESTFLAGS) -DRG_STATIC -c $< -o $@
$(B)/tests/policy/test_%: $(B)/tests/policy/test_%.o $(patsubst tests/policy/%.c,$(B)/tests/policy/%.o,$(filter-out tests/policy/test_%,$(wildcard tests/policy/*.c))) $(PLUGIN_SRC:plugins/%.c=$(B)/static/%.o) $(TEST_PLUGIN_SRC:tests/policy/plugins/%.c=$(B)/static/tests/%.o)
	$(SAY) TEST $@
	$(Q)$(CC) $(TESTFLAGS) $^ $(foreach p,$(PLUGIN_SRC:plugins/%.c=%),$(PLUGLIBS_$(p))) -lcmocka -o $@

test-programs: $(UNIT) $(POLICY) $(TEST_PLUGINS) $(FUZZ:%=$(B)/tests/fuzz/%)

check: deps test-deps
	$(MAKE) check-built

.PHONY: check-built
# A T of the environment is not meant.
check-built: all test-programs
	@tests/run $(B) $(if $(filter command%,$(origin T)),$(T))

fuzz:
	@[ -e tests/fuzz/$(T).c ] || { echo 'make fuzz T=NAME, one of: $(FUZZ)'; exit 2; }
	@mkdir -p $(B)-fuzz/corpus-$(T)
	$(MAKE) BUILD=$(B)-fuzz CC=clang SAN=address,undefined CFLAGS="-O1 -g -fsanitize=fuzzer-no-link" $(foreach l,$(LAYERS),$(B)-fuzz/lib/$(l).a)
	clang $(TESTFLAGS) $(RE_DEFS) -DRG_STATIC -fsanitize=fuzzer,address,undefined -O1 tests/fuzz/$(T).c \
	  -Wl,--start-group $(foreach l,$(LAYERS),$(B)-fuzz/lib/$(l).a) -Wl,--end-group $(LIBS) -o $(B)-fuzz/$(T)
	$(B)-fuzz/$(T) -max_total_time=$(or $(FUZZ_S),60) -timeout=10 -rss_limit_mb=2048 $(B)-fuzz/corpus-$(T) $(wildcard tests/fuzz/corpus/$(T))

bench: all
	tests/bench/run $(B)

lint:
	@tests/lint $(B)

format:
	@command -v clang-format-diff >/dev/null || { echo 'make format needs the package clang-format'; exit 2; }
	git diff -U0 --no-color HEAD -- '*.c' '*.h' | clang-format-diff -p1 -i

coverage:
	$(MAKE) COV=1 CFLAGS="-O0 -g" BUILD=build-cov check-built
	lcov -q -c -d build-cov -o build-cov/all.info --no-external --rc lcov_branch_coverage=1
	lcov --list build-cov/all.info

docs: $(B)/regwayd
	$(B)/regwayd --document > docs/parameters.md

run: deps
	$(MAKE) all
	tests/demo $(B)

# ---- packages --------------------------------------------------------------------
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)
define need
@missing=; for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; done; \
if [ -n "$$missing" ]; then echo "installing:$$missing"; $(SUDO) apt-get update -qq && \
$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; fi
endef
deps:
	$(call need,$(DEPS))
test-deps:
	$(call need,$(TESTDEPS))

# ---- install ---------------------------------------------------------------------
D = $(DESTDIR)
install: all
	install -d $(D)$(PREFIX)/sbin $(D)$(PREFIX)/bin $(D)$(PREFIX)/lib/regway/plugins $(D)$(PREFIX)/include/regway \
	  $(D)$(PREFIX)/lib/pkgconfig $(D)$(UNITDIR) $(D)$(PREFIX)/lib/sysusers.d $(D)$(PREFIX)/lib/tmpfiles.d $(D)$(PREFIX)/share/man/man8 \
	  $(D)$(PREFIX)/share/man/man1 $(D)$(PREFIX)/share/bash-completion/completions $(D)$(SYSCONF)/regway
	install -m 755 $(B)/regwayd $(D)$(PREFIX)/sbin/
	install -m 755 $(B)/regwayctl $(B)/regwaysim $(D)$(PREFIX)/bin/
	install -m 644 $(PLUGINS) $(D)$(PREFIX)/lib/regway/plugins/
	install -m 644 core/include/regway/plugin.h $(D)$(PREFIX)/include/regway/
	sed 's|@PREFIX@|$(PREFIX)|g; s|@VERSION@|$(VERSION)|g' docs/regway.pc.in > $(D)$(PREFIX)/lib/pkgconfig/regway.pc
	sed 's|@PREFIX@|$(PREFIX)|g; s|@SYSCONF@|$(SYSCONF)|g' systemd/regway.service > $(D)$(UNITDIR)/regway.service
	sed 's|@PREFIX@|$(PREFIX)|g; s|@SYSCONF@|$(SYSCONF)|g' systemd/regway@.service > $(D)$(UNITDIR)/regway@.service
	install -m 644 systemd/regway.sysusers $(D)$(PREFIX)/lib/sysusers.d/regway.conf
	sed 's|@SYSCONF@|$(SYSCONF)|g' systemd/regway.tmpfiles > $(D)$(PREFIX)/lib/tmpfiles.d/regway.conf
	install -m 644 docs/man/regwayd.8 $(D)$(PREFIX)/share/man/man8/
	install -m 644 docs/man/regwayctl.1 docs/man/regwaysim.1 $(D)$(PREFIX)/share/man/man1/
	install -m 644 docs/regwayctl.bash $(D)$(PREFIX)/share/bash-completion/completions/regwayctl
	install -d $(D)$(PREFIX)/share/regway/profiles
	install -m 644 ini/profiles/* $(D)$(PREFIX)/share/regway/profiles/
	[ -e $(D)$(SYSCONF)/regway/regway.ini ] || install -m 640 ini/regway.ini $(D)$(SYSCONF)/regway/regway.ini
uninstall:
	rm -rf $(D)$(PREFIX)/lib/regway $(D)$(PREFIX)/include/regway $(D)$(PREFIX)/share/regway
	rm -f $(D)$(PREFIX)/sbin/regwayd $(D)$(PREFIX)/bin/regwayctl $(D)$(PREFIX)/bin/regwaysim \
	  $(D)$(PREFIX)/lib/pkgconfig/regway.pc $(D)$(UNITDIR)/regway.service $(D)$(UNITDIR)/regway@.service $(D)$(PREFIX)/lib/sysusers.d/regway.conf \
	  $(D)$(PREFIX)/lib/tmpfiles.d/regway.conf \
	  $(D)$(PREFIX)/share/man/man8/regwayd.8 $(D)$(PREFIX)/share/man/man1/regwayctl.1 \
	  $(D)$(PREFIX)/share/man/man1/regwaysim.1 $(D)$(PREFIX)/share/bash-completion/completions/regwayctl

clean:
	rm -rf build build-san build-cov build-fuzz

-include $(shell find $(B) -name '*.d' 2>/dev/null)
