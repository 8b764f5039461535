#!/bin/sh
# bench.sh BUILD: what Weft costs on this host, and the cycles of the networks that have a bound to meet. Prints; fails only where a command fails.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")/../.." && pwd)
weft=$build/cli/weft
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export WEFT_DATA="$here" OMP_NUM_THREADS=1
models=$here/models

measure() { # measure RUNS COMMAND...: "seconds megabytes"
    "$build/tests/bench/weft_measure" "$@"
}
row() { # row WHAT "seconds megabytes" BOUND REMARK
    printf '%-58s %10s ms %8s MB   %-22s %s\n' "$1" "$(echo "$2" | awk '{ printf "%.1f", 1000 * $1 }')" "$(echo "$2" | awk '{ print $2 }')" "$3" "${4-}"
}
cycles_of() { # cycles_of REPORT
    sed -n 's/^ *"cycles": *\([0-9]*\).*/\1/p' "$1" | head -n 1
}
cycles() { # cycles WHAT NETWORK BATCH LIMIT
    "$weft" run "$models/$2.onnxtxt" -m tpu-v1 --batch "$3" --timing -q --report "json=$scratch/report.json"
    count=$(cycles_of report.json)
    roofline=$(sed -n 's/^ *"roofline_cycles": *\([0-9]*\).*/\1/p' report.json | head -n 1)
    mapping=$(sed -n 's/^ *"mapping_cycles": *\([0-9]*\).*/\1/p' report.json | head -n 1)
    awk -v what="$1" -v c="$count" -v r="$roofline" -v m="$mapping" -v limit="$4" 'BEGIN {
        if (limit ~ /^x/) limit = substr(limit, 2) * r
        printf "%-34s %10d cycles   limit %10d (%.2f of it)   %.2f x roofline   %.2f x mapping bound\n", what, c, limit, c / limit, r ? c / r : 0, m ? c / m : 0 }'
}

grep -m 1 '^model name' /proc/cpuinfo | sed 's/.*: /CPU: /' || true
echo "Medians, single thread."
echo
"$weft" compile "$models/resnet50.onnxtxt" -m tpu-v1 -q -o resnet50.tpu
# Turn about, so that what else the host does falls on both.
for round in 1 2 3 4 5 6 7 8 9; do
    echo "$("$build/tests/bench/weft_bare_gemm" 3) $(measure 1 "$weft" run resnet50.tpu -q)"
done | awk '{ print $1, $4, $4 / $1, $5 }' >rounds
median_of() {
    sort -n -k "$1,$1" rounds | awk -v column="$1" 'NR == 5 { print $column }'
}
row "oneDNN, the bare int8 products of ResNet-50" "$(median_of 1) -" ""
row "weft run, ResNet-50, batch 1, values and cycles" "$(median_of 2) $(median_of 4)" "limit 3 x products" "$(median_of 3 | awk '{ printf "%.2f x", $1 }')"
row "weft run --timing, the same program" "$(measure 21 "$weft" run resnet50.tpu --timing -q)" "limit 10 ms"
row "weft compile, with calibration" "$(measure 5 "$weft" compile "$models/resnet50.onnxtxt" -m tpu-v1 -q -o out.tpu)" "limit 2000 ms, 500 MB"
row "weft compile --timing" "$(measure 11 "$weft" compile "$models/resnet50.onnxtxt" -m tpu-v1 --timing -q -o out.tpu)" "limit 100 ms"
echo
cycles "ResNet-50, tpu-v1, batch 1" resnet50 1 640000
cycles "ResNet-50, tpu-v1, batch 8" resnet50 8 1120000
cycles "perceptron 2048 x 5, batch 200" mlp-2048x5 200 x1.10

# Every model with its two ratios: to what the array itself needs, and to what any machine with these bandwidths would.
ratios() { # ratios MODEL MACHINE OPTION...
    what=$*
    model=$1
    machine=$2
    shift 2
    if ! "$weft" run "$models/$model.onnxtxt" -m "$machine" --timing -q --report "json=$scratch/report.json" "$@" 2>refusal; then
        printf '%-58s %s\n' "$what" "$(head -n 1 refusal)"
        return
    fi
    roofline=$(sed -n 's/^ *"roofline_cycles": *\([0-9]*\).*/\1/p' report.json | head -n 1)
    mapping=$(sed -n 's/^ *"mapping_cycles": *\([0-9]*\).*/\1/p' report.json | head -n 1)
    awk -v what="$what" -v c="$(cycles_of report.json)" -v r="$roofline" -v m="$mapping" 'BEGIN {
        printf "%-58s %12d cycles   %5.2f x mapping bound   %5.2f x roofline\n", what, c, m ? c / m : 0, r ? c / r : 0 }'
}
echo
for machine in tpu-v1 tpu-v4i; do
    format=--format=int8
    [ "$machine" = tpu-v1 ] || format=--format=bf16
    for batch in 1 8; do
        for model in alexnet bert-base cifar10-keras cifar10-lenet dlrm efficientnet-b0 mlp-2048x5 mlp-784-512-10 mobilenet-v2 resnet50 transformer-encoder unet vgg16 wavenet; do
            ratios "$model" "$machine" "$format" --batch "$batch"
        done
        ratios gpt2-small "$machine" "$format" --batch "$batch" --dim seq=128
        ratios gpt2-small-decode "$machine" "$format" --batch "$batch" --dim past=127
        ratios lstm-lm "$machine" "$format" --batch "$batch"
    done
    ratios lstm-lm "$machine" "$format" --batch 64
done

# Values against another runtime's, both on one thread.
if [ -n "${WEFT_ONNXRUNTIME:-}" ] && command -v node >/dev/null; then
    echo
    theirs=$(node "$here/tests/onnxruntime/time.cjs" "$weft" bert-base)
    "$weft" compile "$models/bert-base.onnxtxt" -m tpu-v4i --format bf16 -q -o bert.tpu
    row "ONNX Runtime, BERT-base, fp32" "$theirs -" ""
    row "weft run, BERT-base, bf16, values and cycles" "$(measure 3 "$weft" run bert.tpu -q)" "limit 4 x that"
fi

# The clocked twin: cycles of a perceptron, and how many of them a second.
twin() { # twin SIDE OPTION...
    side=$1
    shift
    "$weft" compile "$models/mlp-784-512-10.onnxtxt" "$@" -q -o twin.tpu
    "$weft" run twin.tpu -q --report "json=$scratch/report.json"
    echo "$(cycles_of report.json) $(measure 3 "$weft" run twin.tpu -q --engine systemc)" |
        awk -v side="$side" '{ printf "twin, %3d x %-3d cells %25d cycles %10.0f cycles/s\n", side, side, $1, $1 / $2 }'
}
if "$weft" doctor | grep -q '^good *systemc'; then
    echo
    twin 8 -m tiny --batch 16
    twin 32 -m tiny --set array.rows=32 --set array.columns=32 --batch 64
    twin 256 -m tpu-v1 --batch 64
fi
