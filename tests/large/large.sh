#!/bin/sh
# large.sh WEFT WRITER DIRECTORY: 2.2 GiB of weights beside a network compile in 1.2 GB of memory of the compiler's own: the file is mapped, and what is
# made of it (a quarter of its size in int8) exists once (and while it is put into tiles, a layer's part twice). Takes 3 GB of disk.
set -eu
dir=$3/large
rm -rf "$dir"
mkdir -p "$dir"
trap 'rm -rf "$dir"' EXIT
"$2" "$dir" 2300
( ulimit -d 1200000; "$1" compile "$dir/large.onnxtxt" -m tpu-v1 -o "$dir/large.tpu" )
readelf -S "$dir/large.tpu" | grep -q weights
