#!/bin/sh
# structure_catches.sh STRUCTURE: the check of the structure lets a good tree pass and names what is wrong in a bad one.
set -eu
check=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

mkdir isa sim compiler
touch isa/weft_isa.h isa/isa.def isa/elf.h sim/weft_sim.h sim/engine.h compiler/weft_compiler.h
echo '#include "engine.h"' >sim/fast.c
echo '#include "weft_isa.h"' >>sim/fast.c
echo '#include "isa.def"' >>sim/fast.c
echo 'target_link_libraries(weft_sim PUBLIC weft_isa)' >sim/CMakeLists.txt
sh "$check" . || { echo "a good tree was refused" >&2; exit 1; }

refuses() { # refuses FILE LINE EXPECTED
    echo "$2" >"$1"
    if sh "$check" . 2>message; then
        echo "$1: '$2' was let pass" >&2
        exit 1
    fi
    grep -q "$3" message || { echo "'$2' gave: $(cat message)" >&2; exit 1; }
    rm "$1"
}
refuses sim/bad.c '#include "weft_compiler.h"' 'of compiler/'
refuses sim/bad.c '#  include "elf.h"' 'private to isa/'
refuses sim/bad.c '#include "../isa/elf.h"' 'by its name alone'
refuses compiler/CMakeLists.txt 'target_link_libraries(weft_compiler PUBLIC weft_isa weft_sim)' 'links weft_sim'
refuses isa/bad.h '#include "weft_sim.h"' 'of sim/'
