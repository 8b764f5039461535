#!/bin/sh
# small_buffer.sh WEFT NETWORK BYTES DIRECTORY: the network in a buffer of so many bytes gives what it gives in one that holds it.
set -eu
out=$4/$(basename "$2" .onnxtxt)-$3
"$1" run -q "$2" -m tpu-v1 --set unified_buffer.bytes=64Mi -o "$out.large.npz" > /dev/null
"$1" run -q "$2" -m tpu-v1 --set unified_buffer.bytes="$3" -o "$out.small.npz" > /dev/null
cmp "$out.large.npz" "$out.small.npz"
rm -f "$out.large.npz" "$out.small.npz"
