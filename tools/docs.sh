#!/bin/sh
# docs.sh BUILD: rewrites the pages that are made from tables: each target `docs_*` of the build prints or writes one.
set -eu
build=$1
targets=$(cmake --build "$build" --target help | sed -n 's/^\.\.\. \(docs_[a-z_]*\).*/\1/p')
for target in $targets; do
    cmake --build "$build" --target "$target"
done
