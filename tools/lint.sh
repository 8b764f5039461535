#!/bin/sh
# lint.sh BUILD: clang-tidy and cppcheck over our own sources, with the compile commands of that build.
set -eu
build=$1
sources=$(git ls-files '*.c')
status=0
printf '%s\n' $sources | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build" 2>/dev/null || status=1

# Suppressed: what cppcheck 2.10 misreads here. It follows no `if (status) return` (uninitvar, memleak), reads no hexadecimal floats
# (incorrectLogicOperator), no tables made by macros (unknownMacro, syntaxError); memories are bytes seen in many formats (invalidPointerCast).
set --
for finding in uninitvar legacyUninitvar memleak incorrectLogicOperator unknownMacro syntaxError invalidPointerCast missingInclude preprocessorErrorDirective; do
    set -- "$@" "--suppress=$finding"
done
cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --std=c11 -j "$(nproc)" "$@" \
    --suppress=autoVariables:compiler/import/import.c -D_GNU_SOURCE -Iisa -Iasm -Icompiler -Isim -Itraces -Ireport -Iexplore \
    $(printf '%s\n' $sources | grep -v '/test_') || status=1
exit $status
