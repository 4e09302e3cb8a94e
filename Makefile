# lb: `make help` lists what there is.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# FLAVOR: release | asan | tsan | fuzz. Each has objects of its own.
FLAVOR ?= release
BUILD  := build/$(FLAVOR)
CC     ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif

-include build/deps.mk

PKGS      := libuv lua5.4 inih
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
MODE := -O2 -g -D_FORTIFY_SOURCE=2
endif

CFLAGS  = -std=gnu11 -D_GNU_SOURCE -I. $(WARN) $(HARDEN) $(MODE) $(WOLFSSL_CFLAGS) $(LLHTTP_CFLAGS) $(PKG_FLAGS) -MMD -MP
LDFLAGS = $(LDHARDEN) $(MODE)
LIBS    = $(WOLFSSL_LIBS) $(LLHTTP_LIBS) $(PKG_LIBS) -lpthread -lm

SOURCES := $(filter-out lb/main.c,$(shell find lb scripting -name '*.c' | sort))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/liblb.a
LB      := $(BUILD)/lb
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

.PHONY: all
all: build/deps.mk ## build build/lb
	@$(MAKE) --no-print-directory build/lb

build/deps.mk: docker/install-deps
	docker/install-deps build
	@touch $@

build/lb: $(LB)
	@ln -sf $(FLAVOR)/lb $@

.PHONY: binary unit-binaries
binary: $(LB)
unit-binaries: $(UNIT)

$(LB): $(BUILD)/lb/main.o $(LIB)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIB)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(LIB) -lcmocka $(LIBS)

-include $(shell find build -name '*.d' 2>/dev/null)
