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

# What the device says of a program is told with the file's name, where errors go.
printf '.machine tiny\n.dram 1Ki\n.text\nread_weights dram=0, k=1, n=1\nhalt\n' >"$work/bare.s"
"$1" asm -q "$work/bare.s" -o "$work/bare.tpu"
! "$2" "$work/bare.tpu" >"$work/out" 2>"$work/said" || exit 1
grep -q "^weft_platform: $work/bare.tpu: instruction 0 (read_weights .* has no .weights section" "$work/said"
test ! -s "$work/out"
"$2" --help | grep -q usage
