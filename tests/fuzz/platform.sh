#!/bin/sh
# platform.sh WEFT PLATFORM SOURCE: the example of a virtual platform runs compiled networks, twice each, as the fast engine does.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for network in mlp residual; do
    "$1" compile "$3/tests/networks/$network.onnxtxt" -m tiny --set dram.detailed=true -o "$work/$network.tpu" -q
    "$2" "$work/$network.tpu"
done
echo "no program" >"$work/bad.tpu"
if "$2" "$work/bad.tpu" 2>"$work/said"; then
    echo "a file that is no program was run" >&2
    exit 1
fi
