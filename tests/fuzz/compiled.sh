#!/bin/sh
# compiled.sh WEFT DIFFERENTIAL SOURCE: the engines agree on compiled programs: every byte, every instruction's times, every counter.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for network in "$3"/tests/networks/*.onnxtxt "$3"/models/mlp-784-512-10.onnxtxt "$3"/models/cifar10-*.onnxtxt; do
    for machine in tiny edge tpu-v1; do
        "$1" compile "$network" -m "$machine" -o "$work/$(basename "$network" .onnxtxt)-$machine.weft" -q
        "$1" compile "$network" -m "$machine" --set dram.detailed=true -o "$work/$(basename "$network" .onnxtxt)-$machine-detailed.weft" -q
    done
done
"$2" "$work"/*.weft
