# relud: `make run` and `make test` do everything on a fresh Debian 12, set-up included. See `make help`.

MAKEFLAGS += -rR
BUILD  ?= build/release
PREFIX ?= /usr/local
SAN    ?=
CC      = gcc
AR      = ar
MODELS ?= models/digits models/digits-dying
# V=1 shows the commands.
Q       = $(if $(V),,@echo "  $(@:$(BUILD)/%=%)" &&)

PACKAGES_BUILD = gcc make libc6-dev libmicrohttpd-dev libjansson-dev zlib1g-dev nettle-dev \
                 libgnutls28-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev
PACKAGES_TEST  = libcriterion-dev libcurl4-openssl-dev curl python3-numpy python3-onnx \
                 prometheus python3-yaml chromium chromium-driver
PACKAGES_BENCH = libdnnl-dev libopenblas-dev python3-numpy python3-onnx
PACKAGES_SERVE = wrk python3-fastapi uvicorn python3-uvloop python3-httptools python3-numpy python3-onnx
PACKAGES_LINT  = clang-format cppcheck

CPPFLAGS  += -D_GNU_SOURCE -isystem $(BUILD)/gen
CFLAGS    ?= -O2 -g
WARNINGS   = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
             -Wmissing-prototypes -Wvla $(if $(CI),-Werror)
ALL_CFLAGS = -std=c11 $(CFLAGS) $(WARNINGS) -fno-math-errno -ffp-contract=off -pthread \
             $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LDFLAGS   += -pthread $(if $(SAN),-fsanitize=$(SAN))
LDLIBS     = -lmicrohttpd -ljansson -lprotobuf-c -lgnutls -lnettle -lz -lm

# Kernels: one source, compiled once for each instruction set (core/kernels/isa.def).
ifneq ($(filter x86_64 amd64,$(shell uname -m)),)
ISAS = avx512 avx2 baseline
else ifneq ($(filter aarch64 arm64,$(shell uname -m)),)
ISAS = neon
else
ISAS = baseline
endif
ISA_avx512 = -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mbmi2
ISA_avx2   = -mavx2 -mfma -mbmi2

CORE     = $(filter-out %_tmpl.c,$(wildcard core/*.c core/*/*.c))
SERVER   = $(filter-out server/main.c,$(wildcard server/*.c server/*/*.c))
UNIT     = $(wildcard tests/unit/*/*.c tests/unit/*/*/*.c)
API      = $(wildcard tests/api/*.c)
SUPPORT  = $(wildcard tests/support/*.c)
objects  = $(patsubst %.c,$(BUILD)/%.o,$(1))
EMBEDDED = server/openapi.json $(wildcard server/web/*.*)
FILES    = $(EMBEDDED:%=$(BUILD)/gen/%.o)
KERNELS  = $(ISAS:%=$(BUILD)/core/kernels/kernels_%.o)

all: $(BUILD)/relud ## build the daemon

$(BUILD)/libcore.a: $(call objects,$(CORE)) $(KERNELS) $(BUILD)/gen/onnx.pb-c.o
	@rm -f $@
	$(Q) $(AR) rcs $@ $^

$(BUILD)/relud: $(call objects,server/main.c $(SERVER)) $(FILES) $(BUILD)/libcore.a
	$(Q) $(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/gen/onnx.pb-c.c: /usr/include/onnx/onnx.proto
	@mkdir -p $(@D)
	$(Q) protoc-c --c_out=$(@D) -I$(<D) $(<F)

$(BUILD)/gen/onnx.pb-c.o: $(BUILD)/gen/onnx.pb-c.c
	$(Q) $(CC) -std=c11 $(CFLAGS) -I$(BUILD)/gen -c $< -o $@

# A file as an array of its bytes, with a NUL at the end, and its digest: see server/embedded.h.
SYMBOL = embedded_$(subst /,_,$(subst .,_,$*))
$(BUILD)/gen/server/%.c: server/% Makefile
	@mkdir -p $(@D)
	$(Q) { echo 'const char $(SYMBOL)[] = {'; od -An -v -tx1 $< | sed "s/ \(..\)/'\\\\x\1',/g"; echo '0};'; \
	  sha256sum $< | sed 's/\([0-9a-f]*\).*/const char $(SYMBOL)_digest[] = "\1";/'; } >$@

$(FILES): %.o: %.c
	$(Q) $(CC) -std=c11 $(CFLAGS) -c $< -o $@

# core sees core alone; server sees both; tests see everything.
$(BUILD)/core/%.o: INCLUDES = -Icore -Icore/kernels
$(BUILD)/server/%.o: INCLUDES = -Icore -Iserver
$(BUILD)/tests/%.o: INCLUDES = -Icore -Iserver -Itests/support

$(call objects,$(wildcard core/model/*.c core/compact/*.c) $(UNIT) $(API) $(SUPPORT) tests/conformance/run.c tests/fuzz/onnx.c): | $(BUILD)/gen/onnx.pb-c.c

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q) $(CC) $(CPPFLAGS) $(INCLUDES) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(KERNELS): $(BUILD)/core/kernels/kernels_%.o: core/kernels/kernels_tmpl.c Makefile
	@mkdir -p $(@D)
	$(Q) $(CC) $(CPPFLAGS) -Icore -Icore/kernels $(ALL_CFLAGS) -O3 -fno-trapping-math -fwrapv -Wno-psabi \
	  $(ISA_$*) -DKERNELS_ISA=$* -MMD -MP -c $< -o $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

## Set-up

deps: ## install what building and testing needs (Debian packages)
	@tests/deps.sh $(PACKAGES_BUILD) $(PACKAGES_TEST)

deps-build:
	@tests/deps.sh $(PACKAGES_BUILD)

deps-lint:
	@tests/deps.sh $(PACKAGES_LINT)

## Use

run: ## build and serve the bundled models
	@tests/deps.sh $(PACKAGES_BUILD) curl
	@$(MAKE) --no-print-directory -j$(shell nproc) all
	@tests/run.sh $(BUILD)/relud $(MODELS)

install: all ## install the daemon and the bundled models under DESTDIR/PREFIX
	install -D -m 755 $(BUILD)/relud $(DESTDIR)$(PREFIX)/bin/relud
	for f in $$(cd models && find . -type f); do \
	  install -D -m 644 models/$$f $(DESTDIR)$(PREFIX)/share/relud/models/$$f || exit 1; done

## Tests

$(BUILD)/tests/unit_tests: $(call objects,$(UNIT) $(SUPPORT) $(SERVER)) $(FILES) $(BUILD)/libcore.a
	$(Q) $(CC) $(LDFLAGS) $^ $(LDLIBS) -lcriterion -lcurl -o $@

$(BUILD)/tests/api_tests: $(call objects,$(API) $(SUPPORT)) $(BUILD)/libcore.a
	$(Q) $(CC) $(LDFLAGS) $^ $(LDLIBS) -lcriterion -lcurl -o $@

$(BUILD)/tests/conformance/conformance: $(call objects,tests/conformance/run.c) $(BUILD)/libcore.a
	$(Q) $(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

build/onnx-tests: tests/conformance/generate.py
	@mkdir -p $(@D)
	/usr/bin/python3 $< $@ >$@.log 2>&1 || { cat $@.log; rm -rf $@; exit 1; }

build/onnx-nets build/onnx-exporters: build/onnx-%: tests/conformance/%.py
	/usr/bin/python3 $< $@
	@touch $@

build/architectures: tests/conformance/architectures.py $(wildcard tests/conformance/architectures/*.pb)
	/usr/bin/python3 $< $@
	@touch $@

TEST_DATA = build/onnx-tests/node build/onnx-nets build/onnx-exporters build/architectures/small \
            tests/conformance/golden
TEST_MAKES = build/onnx-tests build/onnx-nets build/onnx-exporters build/architectures
conformance: $(BUILD)/tests/conformance/conformance $(TEST_MAKES) ## ONNX's own node tests, whole networks; ONNX_TEST_DATA=DIR: others
	$< tests/conformance/out_of_scope $(or $(ONNX_TEST_DATA),$(TEST_DATA))

architectures: $(BUILD)/tests/conformance/conformance build/architectures ## the classic image architectures, the largest ones as well
	$< tests/conformance/out_of_scope build/architectures/small build/architectures/large

tests: $(BUILD)/tests/unit_tests $(BUILD)/tests/api_tests $(BUILD)/tests/conformance/conformance

test: deps ## install, build and run all tests
	@tests/all.sh

FLIPS  ?= 100000
SEED   ?= 1
FUZZED ?= models/digits/model.onnx $(wildcard tests/conformance/golden/*/model.onnx)

$(BUILD)/tests/fuzz/onnx: $(call objects,tests/fuzz/onnx.c) $(BUILD)/libcore.a
	$(Q) $(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

fuzz: ## damaged ONNX files under the sanitizers; FLIPS=N SEED=N
	@$(MAKE) --no-print-directory BUILD=build/asan SAN=address,undefined build/asan/tests/fuzz/onnx
	build/asan/tests/fuzz/onnx $(FLIPS) $(SEED) $(FUZZED)

unit: $(BUILD)/tests/unit_tests ## unit tests
	$<

api: all $(BUILD)/tests/api_tests ## tests against a live daemon
	RELUD=$(BUILD)/relud $(BUILD)/tests/api_tests

reloads: all $(BUILD)/tests/api_tests ## 10,000 reloads leave memory flat; in short a part of api, too
	RELOADS=10000 RELUD=$(BUILD)/relud $(BUILD)/tests/api_tests --filter 'reload/memory*'

kills: all $(BUILD)/tests/api_tests ## 200 kills tear no file of statistics; in short a part of api, too
	KILLS=200 RELUD=$(BUILD)/relud $(BUILD)/tests/api_tests --filter 'stats_dir/killed*'

proofs: $(BUILD)/tests/unit_tests ## a million inputs of each of 50 random networks wake no unit that is proven dead; in short a part of unit, too
	PROOF_ROWS=1000000 $< --filter 'proof/holds_for_*'

browser: all ## the page in a headless Chromium (skipped where there is none)
	RELUD=$(BUILD)/relud tests/browser/test.sh

container: ## build the image, run it, infer, stop it (needs root; skipped where no Docker engine runs)
	tests/container/test.sh

asan: deps ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@tests/sanitized.sh asan address,undefined unit api

tsan: deps ## the daemon under ThreadSanitizer, driven by the API tests
	@tests/sanitized.sh tsan thread api

lint: deps-lint ## formatting, static analysis, the rules of the house
	@tests/lint.sh

format: deps-lint ## let clang-format decide
	clang-format -i $(shell git ls-files '*.c' '*.h' 'server/*.js')

## Benchmarks

$(BUILD)/tests/bench/%.o: ALL_CFLAGS += -O3 -march=native
CONTENDERS = tests/bench/subject.c $(wildcard tests/bench/contender_*.c)
$(BUILD)/tests/bench/kernels $(BUILD)/tests/bench/load: $(BUILD)/tests/bench/%: \
    $(call objects,tests/bench/%.c $(CONTENDERS)) $(BUILD)/libcore.a
	$(Q) $(CC) $(LDFLAGS) $^ $(LDLIBS) -ldnnl -lopenblas -o $@

$(BUILD)/tests/bench/openload: $(call objects,tests/bench/openload.c)
	$(Q) $(CC) $(LDFLAGS) $^ -o $@

deps-bench:
	@tests/deps.sh $(PACKAGES_BUILD) $(PACKAGES_BENCH)
	@tests/bench/peer.sh build/bench

bench: deps-bench ## speed beside other runtimes; BENCH_ARGS="--quick --update --filter REGEX --json FILE"
	@$(MAKE) --no-print-directory all $(BUILD)/tests/bench/kernels $(BUILD)/tests/bench/load
	@tests/bench/bench.py --build $(BUILD) $(BENCH_ARGS)

bench-serve: ## the daemon beside Node + ONNX Runtime and FastAPI + NumPy; BENCH_ARGS="--quick --update --json FILE"
	@tests/deps.sh $(PACKAGES_BUILD) $(PACKAGES_SERVE)
	@tests/bench/peer.sh build/bench
	@$(MAKE) --no-print-directory all $(BUILD)/tests/bench/openload
	@tests/bench/serve.py --build $(BUILD) $(BENCH_ARGS)

bench-stats: ## what reading the statistics of ResNet-50 costs; BENCH_ARGS="--net NET --seconds N --json FILE"
	@tests/deps.sh $(PACKAGES_BUILD) curl python3-numpy python3-onnx
	@$(MAKE) --no-print-directory all
	@tests/bench/stats.py --build $(BUILD) $(BENCH_ARGS)

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: all tests fuzz reloads kills proofs conformance architectures deps deps-build deps-lint run install test unit api browser container asan tsan lint format bench \
        bench-serve bench-stats deps-bench clean help
