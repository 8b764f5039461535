# The build is CMake's; this is what a person types.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
PRESET ?= release
BUILD = build/$(PRESET)
MAKEFLAGS += --no-print-directory
WEFT = $(BUILD)/cli/weft
SOURCES = $(shell git ls-files '*.c' '*.h')

.PHONY: all demo check soak install uninstall format lint bench docs clean packages valgrind

all: packages
	@cmake --preset $(PRESET) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS)

demo: packages # ResNet-50 on the first TPU, from network to report
	@cmake --preset $(PRESET) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target weft
	@tools/demo.sh $(WEFT)

check: packages # every test; PRESET=asan or clang for the others
	cmake --preset $(PRESET)
	cmake --build $(BUILD) -j $(JOBS)
	ctest --preset $(PRESET) -j $(JOBS)

soak: packages # the long tests: random programs for hours
	cmake --preset $(PRESET)
	cmake --build $(BUILD) -j $(JOBS)
	ctest --test-dir $(BUILD) -C soak -L soak --output-on-failure

install: packages # PREFIX=/usr/local; the command remembers where its data lie
	@cmake --preset $(PRESET) -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX)) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	cmake --install $(BUILD)

uninstall:
	@test -f $(BUILD)/install_manifest.txt || { echo "nothing installed from $(BUILD)" >&2; exit 1; }
	xargs -d '\n' rm -f < $(BUILD)/install_manifest.txt

format:
	@tools/packages.sh lint
	clang-format -i $(SOURCES)

lint:
	@tools/packages.sh build test lint
	cmake --preset clang
	cmake --build build/clang -j $(JOBS)
	tools/lint.sh build/clang

valgrind: # the small models, byte by byte
	@tools/packages.sh build test lint
	cmake --preset debug
	cmake --build build/debug -j $(JOBS) --target weft
	tools/valgrind.sh build/debug

bench: packages # prints; proves nothing
	@cmake --preset $(PRESET) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@tests/bench/bench.sh $(BUILD)

docs: all # rewrites the pages that are made from tables, and what README shows of the demo
	cmake --build $(BUILD) --target docs

clean:
	rm -rf build weft-demo

packages:
	@tools/packages.sh build test
