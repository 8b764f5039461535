#!/bin/sh
# compiled_twin.sh WEFT DIFFERENTIAL SOURCE: fast and the clocked twin agree on compiled programs: every byte, every instruction's times, every
# counter. On small machines; with one more argument, a network's name, on that network and the whole tpu-v1.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile() { # compile NETWORK MACHINE [OPTION...]
    network=$1 machine=$2
    shift 2
    "$weft" compile "$network" -m "$machine" "$@" -o "$work/$(basename "$network" .onnxtxt)-$machine$#.weft" -q
}
weft=$1 differential=$2 source=$3
if [ $# -gt 3 ]; then
    compile "$source/models/$4.onnxtxt" tpu-v1
else
    for network in "$source"/tests/networks/*.onnxtxt "$source"/models/mlp-784-512-10.onnxtxt "$source"/models/cifar10-*.onnxtxt; do
        compile "$network" tiny
        compile "$network" edge --set dram.detailed=true
    done
fi
"$differential" -t "$work"/*.weft
