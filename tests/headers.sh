#!/bin/sh
# headers.sh ROOT CC [CXX]: every header that is not private to a .c file compiles alone; public ones as C++17 too, as the SystemC twin reads them.
set -eu
root=$1 cc=$2 cxx=${3-}
flags="-fsyntax-only -Wall -Wextra -Werror -D_GNU_SOURCE"
cd "$root"
for folder in isa asm compiler sim traces report explore cli; do
    flags="$flags -I$folder"
done
for header in */weft_*.h; do
    "$cc" -std=c17 -x c $flags -Wstrict-prototypes "$header"
    if [ -n "$cxx" ]; then
        "$cxx" -std=c++17 -x c++ $flags "$header"
    fi
    echo "$header"
done
