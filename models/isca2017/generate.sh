#!/bin/sh
# generate.sh [FOLDER]: writes the six networks of the ISCA 2017 paper (here, or into FOLDER) from its table 1 in explore/isca2017.def.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here}
for network in MLP0 MLP1 LSTM0 LSTM1 CNN0 CNN1; do
    awk -v network=$network -f "$here/generate.awk" "$here/../../explore/isca2017.def" >"$out/$network.onnxtxt"
done
