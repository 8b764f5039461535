#!/bin/sh
# demo.sh WEFT: compiles ResNet-50 for the first TPU and runs it, with values, into ./weft-demo/.
set -eu
weft=$1
here=$(dirname "$0")/..
out=weft-demo
mkdir -p "$out"

"$weft" compile "$here/models/resnet50.onnxtxt" -m tpu-v1 --format int8 -o "$out/resnet50.tpu"
"$weft" run "$out/resnet50.tpu" "--check=$here/models/resnet50.onnxtxt" -o "$out/outputs.npz" --report text --report "json=$out/report.json" --trace "$out/trace.json.gz"

cat <<END

In $PWD/$out:
  resnet50.tpu     the program, an ELF file: weft disasm $out/resnet50.tpu | less
  outputs.npz      the outputs, for NumPy
  report.json      the figures above and many more, for every layer
  trace.json.gz    the timeline: open it in https://ui.perfetto.dev
END
