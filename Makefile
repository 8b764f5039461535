# The build is CMake's; this is what a person types.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
PRESET ?= release
BUILD = build/$(PRESET)
WEFT = $(BUILD)/cli/weft
SOURCES = $(shell git ls-files '*.c' '*.h')

.PHONY: all demo check soak install uninstall format lint bench docs clean packages-build packages-test packages-lint

all: packages-build
	@cmake --preset $(PRESET) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS)

demo: packages-build packages-test # ResNet-50 on the first TPU, from network to report
	@cmake --preset $(PRESET) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target weft -- --no-print-directory
	@tools/demo.sh $(WEFT)

check: packages-build packages-test # every test; PRESET=asan or clang for the others
	cmake --preset $(PRESET)
	cmake --build $(BUILD) -j $(JOBS)
	ctest --preset $(PRESET) -j $(JOBS)

soak: packages-build packages-test # the long tests: random programs for hours
	cmake --preset $(PRESET)
	cmake --build $(BUILD) -j $(JOBS)
	ctest --test-dir $(BUILD) -C soak -L soak --output-on-failure

install: all # PREFIX=/usr/local
	cmake --install $(BUILD) --prefix $(PREFIX)

uninstall:
	@test -f $(BUILD)/install_manifest.txt || { echo "nothing installed from $(BUILD)" >&2; exit 1; }
	xargs -d '\n' rm -f < $(BUILD)/install_manifest.txt

format: packages-lint
	clang-format -i $(SOURCES)

lint: packages-build packages-test packages-lint
	cmake --preset clang
	cmake --build build/clang -j $(JOBS)
	tools/lint.sh build/clang

bench: packages-build packages-test # prints; proves nothing
	@cmake --preset $(PRESET) > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) -- --no-print-directory
	@tests/bench/bench.sh $(BUILD)

docs: all # rewrites the pages that are made from tables
	tools/docs.sh $(BUILD)

clean:
	rm -rf build weft-demo

packages-build packages-test packages-lint: packages-%:
	@tools/packages.sh $*
