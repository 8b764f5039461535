#!/bin/sh
# roundtrip.sh ROOT WEFT: what `weft disasm` prints, `weft asm` turns back into the same file, byte for byte: every network of tests/networks, with and
# without its weights, some in bf16, and one whose host looks its input up.
set -eu
root=$1 weft=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export WEFT_DATA="$root"

there_and_back() { # NETWORK OPTION...
    network=$1
    shift
    rm -f ./*
    "$weft" compile "$network" "$@" -q -o there.tpu
    "$weft" disasm there.tpu -o there.s
    "$weft" asm there.s -q -o back.tpu
    cmp there.tpu back.tpu || { echo "$network $*: not the same"; exit 1; }
}

there_and_back wavenet -m tiny
grep -q 'table=' there.s
for network in "$root"/tests/networks/*.onnxtxt; do
    there_and_back "$network" -m tiny
    there_and_back "$network" -m tpu-v1 --timing
done
for name in attention recurrent stack; do
    there_and_back "$root/tests/networks/$name.onnxtxt" -m tpu-v2 --format bf16
done
