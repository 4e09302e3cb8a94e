# lb: `make help` lists what there is.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

# FLAVOR: release | asan | tsan | fuzz. Each has objects of its own.
FLAVOR ?= release
BUILD  := build/$(FLAVOR)
CC     ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif

-include build/deps.mk

PKGS      := libuv lua5.4 inih libnghttp2 libpcre2-8
PKG_FLAGS  = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS   = $(shell pkg-config --libs $(PKGS))

WARN     := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wformat=2 -Wundef -Wwrite-strings -Wno-missing-field-initializers
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
ifneq ($(shell uname -m),x86_64)
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection
endif
LDHARDEN := -pie -Wl,-z,relro,-z,now,-z,noexecstack

ifeq ($(FLAVOR),asan)
MODE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -DLB_ASSERT
else ifeq ($(FLAVOR),tsan)
MODE := -O1 -g -fno-omit-frame-pointer -fsanitize=thread -DLB_ASSERT
else ifeq ($(FLAVOR),fuzz)
CC   := clang
MODE := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DLB_ASSERT
else
MODE := -O3 -g -D_FORTIFY_SOURCE=2 -flto=auto
endif

CFLAGS  = -std=gnu11 -D_GNU_SOURCE -I. $(WARN) $(HARDEN) $(MODE) $(WOLFSSL_CFLAGS) $(LLHTTP_CFLAGS) $(PKG_FLAGS) -MMD -MP
LDFLAGS = $(LDHARDEN) $(MODE)
LIBS    = $(WOLFSSL_LIBS) $(LLHTTP_LIBS) $(PKG_LIBS) -lpthread -lm

SOURCES := $(filter-out lb/main.c,$(shell find lb scripting -name '*.c' | sort))
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
LIB     := $(BUILD)/liblb.a
LB      := $(BUILD)/lb
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

.PHONY: all
all: build/deps.mk ## build build/lb
	@$(MAKE) --no-print-directory build/lb

build/deps.mk: docker/install-deps docker/wolfssl-signatures.c
	docker/install-deps build
	@touch $@

build/lb: $(LB)
	@ln -sf $(FLAVOR)/lb $@

.PHONY: binary unit-binaries
binary: $(LB)
unit-binaries: $(UNIT)

$(LB): $(BUILD)/obj/lb/main.o $(LIB)
	@echo "LD $@"; $(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(OBJECTS)
	@rm -f $@
	@gcc-ar rcs $@ $^

# The libraries' headers are no prerequisites that the compiler tells of: other libraries mean other objects.
$(BUILD)/obj/%.o: %.c build/deps.mk
	@mkdir -p $(@D)
	@echo "CC $(FLAVOR) $<"; $(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	@echo "LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) -lcmocka $(LIBS)

$(BUILD)/unit/test_certificate $(BUILD)/unit/test_forward_identity $(BUILD)/unit/test_tls $(BUILD)/unit/test_tls_%: LIBS += -lssl -lcrypto

$(BUILD)/fuzz/%: tests/fuzz/%.c $(LIB)
	@mkdir -p $(@D)
	@echo "LD $@"; $(CC) $(CFLAGS) -Wno-missing-prototypes $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(LIB) $(LIBS)

# A client of the library itself, for the tests from outside.
build/tools/%: tests/tools/%.c build/deps.mk
	@mkdir -p $(@D)
	@echo "LD $@"; $(CC) -std=gnu11 -D_GNU_SOURCE -O1 -g $(WARN) $(WOLFSSL_CFLAGS) -o $@ $< $(WOLFSSL_LIBS)

FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: fuzz-binaries
fuzz-binaries: $(FUZZ)

# ---- what people call ----

.PHONY: run test lint bench asan tsan fuzz install clean help format reference

run: all ## serve the example in conf.d/ with its demo origins
	@certs/make-dev-certs
	@tests/demo-hints
	@build/lb run

test: ## install what is missing, build every flavor and pass all tests
	@docker/install-deps build test lint
	@tests/run

lint: ## clang-format, clang-tidy or cppcheck, the house rules
	@docker/install-deps build lint
	@tests/lint

bench: ## lb beside HAProxy and nginx, CPU seconds per operation
	@docker/install-deps build bench
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory -C tests/bench
	@tests/bench/run $(BENCH_ARGS)

asan: build/deps.mk ## build/asan/lb and the unit tests with AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory FLAVOR=asan binary unit-binaries

tsan: build/deps.mk ## build/tsan/lb with ThreadSanitizer
	@$(MAKE) --no-print-directory FLAVOR=tsan binary

fuzz: build/deps.mk ## the fuzz targets (clang); run one: build/fuzz/fuzz/fuzz_hello tests/fuzz/corpus/hello
	@$(MAKE) --no-print-directory FLAVOR=fuzz fuzz-binaries

PREFIX  ?= /usr/local
DESTDIR ?=
install: all ## to PREFIX (default /usr/local)
	install -D -m 0755 build/release/lb $(DESTDIR)$(PREFIX)/bin/lb
	install -d $(DESTDIR)$(PREFIX)/share/lb/scripting
	cp -r scripting/examples $(DESTDIR)$(PREFIX)/share/lb/scripting/

format: ## rewrite the C files in the house's style
	@git ls-files '*.c' '*.h' | xargs clang-format -i

reference: all ## write the configuration reference into the README
	@tests/reference README.md

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | column -t -s '|'

-include $(shell find build -name '*.d' 2>/dev/null)
