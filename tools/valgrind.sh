#!/bin/sh
# valgrind.sh BUILD: compiles and runs the small models under Valgrind, with values; any report fails. oneDNN's own vectorised kernels read ahead of
# their own buffers, so it is held to its plain ones, which give the same integers.
set -eu
weft=$1/cli/weft
export ONEDNN_MAX_CPU_ISA=SSE41 OMP_NUM_THREADS=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for model in cifar10-lenet cifar10-keras mlp-784-512-10; do
    for machine in tiny tpu-v1; do
        echo "$model on $machine"
        valgrind --quiet --leak-check=full --error-exitcode=9 "$weft" run "$model" -m "$machine" --check -q -o "$scratch/out.npz" --trace "$scratch/t.json.gz"
    done
    valgrind --quiet --leak-check=full --error-exitcode=9 "$weft" compile "$model" -q -o "$scratch/a.tpu"
    valgrind --quiet --leak-check=full --error-exitcode=9 "$weft" disasm "$scratch/a.tpu" >"$scratch/a.s"
    valgrind --quiet --leak-check=full --error-exitcode=9 "$weft" asm "$scratch/a.s" -o "$scratch/b.tpu"
done
