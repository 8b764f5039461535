#!/bin/sh
# lint.sh BUILD: clang-tidy and cppcheck over our own sources, with the compile commands of that build.
set -eu
build=$1
sources=$(git ls-files '*.c')
status=0
printf '%s\n' $sources | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" 2>/dev/null || status=1
cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --std=c11 -j "$(nproc)" --suppress=missingInclude \
    --suppress=invalidPointerCast --suppress=preprocessorErrorDirective --suppress='*:*/generated/*' -i build -D_GNU_SOURCE -Iisa -Iasm -Icompiler -Isim -Itraces -Ireport -Iexplore $sources || status=1
exit $status
