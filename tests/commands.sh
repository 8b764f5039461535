#!/bin/sh
# commands.sh ROOT WEFT PAGE: runs the blocks of a page that open with "```sh run", in order, in a scratch directory where `weft` is the one
# just built and machines/, models/ and tests/ are at hand as in a clone. A command that fails fails the page.
set -eu
root=$1 weft=$2 page=$3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin"
ln -s "$weft" "$scratch/bin/weft"
for folder in machines models tests docs; do
    ln -s "$root/$folder" "$scratch/$folder"
done
awk '/^```sh run$/ { on = 1; next } /^```/ { on = 0 } on' "$page" >"$scratch/commands"
cd "$scratch"
PATH=$scratch/bin:$PATH WEFT_DATA=$root sh -eux ./commands
