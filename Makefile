# systrace: make demo, make test. Every path is relative, for make cannot quote a space.
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
.PHONY: help setup packages examples test unit kernel test-kernels fuzz lint demo bench clean

# The first python3 on PATH if it is recent enough, otherwise the distribution's.
PYTHON ?= $(shell python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	&& echo python3 || echo /usr/bin/python3)
# Errors only: pip warns of every package that a second index lacks.
PIP = .venv/bin/pip -qq --disable-pip-version-check

# Nothing that root runs may leave a file of root's in the clone of the user who called sudo.
AS_ROOT = $(if $(filter 0,$(shell id -u)),env,sudo -E env) "PATH=$$PATH"
PYTEST = env -u PYTHONPATH PYTHONDONTWRITEBYTECODE=1 .venv/bin/pytest -p no:cacheprovider

# Directories too: their times tell of a file that is gone.
SOURCES := $(shell find systrace probes bin -name __pycache__ -prune -o -print) README.md LICENSE

GO_PROGRAMS = examples/bin/time_now examples/bin/raw_clock examples/bin/spawn \
	examples/bin/on_signal examples/bin/http_server examples/bin/open_files \
	examples/bin/serve
GO_RECENT_PROGRAMS = examples/bin/time_now_recent examples/bin/go_random
C_PROGRAMS = examples/bin/getppid examples/bin/threads examples/bin/vfork_wait \
	examples/bin/vdso_all
MUSL_PROGRAMS = examples/bin/vdso_all_musl
BENCHMARKS = $(addprefix benchmarks/bin/,calls spawn gaps exec_stop load)

help:
	@echo 'make demo      trace a Go program that calls time.Now() 1,000,003 times'
	@echo 'make test      lint, and all tests (with sudo when you are not root)'
	@echo 'make setup     install what is missing; leaves .venv/bin/systrace'
	@echo 'make examples  build examples/bin/'
	@echo 'make unit      the tests that need no root'
	@echo 'make kernel    the tests that load eBPF programs'
	@echo 'make test-kernels  the kernel tests on Debian kernels under QEMU: hours'
	@echo 'make fuzz      every parser for SECONDS=60 each, guided by coverage; PARSERS=... for a few'
	@echo 'make lint      ruff and mypy'
	@echo 'make bench     measure systrace and its peers; writes benchmarks/RESULTS.md'
	@echo 'make clean     remove what make made'

setup: packages .venv/.systrace

packages:
	@sh scripts/setup.sh '$(PYTHON)'

# All that the wheel, its tests and its build need, so that installing it anew needs no network.
.venv/.requirements: pyproject.toml | packages
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo 'systrace needs Python 3.10 or later: make PYTHON=/path/to/python3' >&2; exit 1; }
	@.venv/bin/pip --version >/dev/null 2>&1 || '$(PYTHON)' -m venv --clear .venv
	$(PIP) install hatchling '.[test]'
	@touch $@

# The wheel and not the source tree, so that the tests see what users get.
.venv/.systrace: .venv/.requirements $(SOURCES)
	$(PIP) install --no-deps --force-reinstall --no-build-isolation .
	@touch $@

.venv/.go: examples/requirements.txt | .venv/.requirements
	$(PIP) install --no-compile -r examples/requirements.txt
	@touch $@

examples: packages $(GO_PROGRAMS) $(GO_RECENT_PROGRAMS) $(C_PROGRAMS) $(MUSL_PROGRAMS)

# No setting of the user's, no module and no toolchain of the network's, and no version stamp:
# git refuses to name one in a clone of another user's.
GO_BUILD = env -u GOROOT CGO_ENABLED=0 GOENV=off GOFLAGS= GOWORK=off GOPROXY=off GOTOOLCHAIN=local
GO_SOURCES = examples/go.mod examples/count/count.go
CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror

$(GO_PROGRAMS): examples/bin/%: examples/%/main.go $(GO_SOURCES) | packages
	cd examples && $(GO_BUILD) "GOCACHE=$$PWD/bin/.cache" \
		/usr/bin/go build -buildvcs=false -o bin/$* ./$*

examples/bin/time_now_recent: GO_PACKAGE = time_now
examples/bin/go_random: GO_PACKAGE = go_random
$(GO_RECENT_PROGRAMS): examples/time_now/main.go examples/go_random/main.go $(GO_SOURCES) .venv/.go
	cd examples && $(GO_BUILD) "GOCACHE=$$PWD/bin/.cache" \
		../.venv/bin/go build -buildvcs=false -o bin/$(@F) ./$(GO_PACKAGE)

$(C_PROGRAMS): examples/bin/%: examples/%.c examples/count.h | packages
	@mkdir -p examples/bin
	gcc $(CFLAGS) -pthread -o $@ $<

$(MUSL_PROGRAMS): examples/bin/%_musl: examples/%.c | packages
	@mkdir -p examples/bin
	musl-gcc $(CFLAGS) -static -o $@ $<

benchmarks/bin/%: benchmarks/programs/%.c | packages
	@mkdir -p benchmarks/bin
	gcc $(CFLAGS) -pthread $(if $(filter exec_stop,$*),-static) -o $@ $<

benchmarks/bin/load: benchmarks/programs/load/main.go benchmarks/programs/go.mod | packages
	@mkdir -p benchmarks/bin
	cd benchmarks/programs && $(GO_BUILD) "GOCACHE=$$PWD/../bin/.cache" \
		/usr/bin/go build -buildvcs=false -o ../bin/load ./load

lint: setup
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

test: setup examples lint
	$(AS_ROOT) $(PYTEST)

unit: setup
	$(PYTEST) tests/unit tests/fuzz

kernel: setup examples
	$(AS_ROOT) $(PYTEST) tests/kernel

# KERNELS='6.1 6.12' boots only these; KERNEL_TESTS='few' or names of files leaves the rest out.
test-kernels: setup examples
	@sh scripts/setup.sh '$(PYTHON)' emulator
	KERNELS='$(KERNELS)' KERNEL_TESTS='$(KERNEL_TESTS)' $(PYTEST) tests/kernels

.venv/.fuzz: .venv/.systrace
	$(PIP) install --no-build-isolation '.[fuzz]'
	@touch $@

fuzz: setup .venv/.fuzz
	SECONDS='$(SECONDS)' PARSERS='$(PARSERS)' PYTHONDONTWRITEBYTECODE=1 .venv/bin/python -m tests.fuzz

demo: setup examples
	$(AS_ROOT) .venv/bin/systrace run examples/bin/time_now

bench: setup $(BENCHMARKS)
	@sh scripts/setup.sh '$(PYTHON)' bench
	$(AS_ROOT) PYTHONDONTWRITEBYTECODE=1 .venv/bin/python -m benchmarks >benchmarks/RESULTS.new
	@mv benchmarks/RESULTS.new benchmarks/RESULTS.md

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz build dist examples/bin \
		tests/kernels/.cache benchmarks/bin
	find . -name __pycache__ -prune -exec rm -rf {} +
