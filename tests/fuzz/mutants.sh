#!/bin/sh
# mutants.sh SOURCE [PROGRAMS]: is the fuzzer good enough? Twelve one-line faults, six in the fast engine and six in the clocked twin, each put into
# a copy of the sources; the two engines are then set against one another, and every fault must be found. A fault whose line has changed its
# wording is an error here: word it anew.
set -eu
source=$(cd "$1" && pwd)
programs=${2:-5000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/tree"
tar -C "$source" --exclude=./build --exclude=./.git --exclude=./weft-demo -cf - . | tar -C "$work/tree" -xf -
cmake -S "$work/tree" -B "$work/build" -DCMAKE_BUILD_TYPE=Release >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
build() {
    cmake --build "$work/build" --target weft_differential -j "$(nproc)" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}
differential="$work/build/tests/fuzz/weft_differential"
build
"$differential" -t -n 200 -s 3 -o "$work" >/dev/null

missed=0
mutant() { # mutant WHAT FILE FROM TO: the text FROM, which stands in one line of FILE, becomes TO
    file=$work/tree/$2
    cp "$file" "$work/kept"
    awk -v from="$3" -v to="$4" '{ at = index($0, from); if (at && !done) { $0 = substr($0, 1, at - 1) to substr($0, at + length(from)); done = 1 } print } END { exit !done }' \
        "$work/kept" >"$file" || { echo "$2 has no line with: $3" >&2; exit 1; }
    build
    if found=$("$differential" -t -n "$programs" -s 3 -o "$work" 2>&1); then
        echo "MISSED  $1"
        missed=$((missed + 1))
    else
        echo "caught  $1: $(echo "$found" | grep -m 1 '^program' | cut -c 1-90)"
    fi
    cp "$work/kept" "$file"
}

mutant "fast: a queue's freed entry is refilled at once" sim/fast_clock.c 'queue->starts[queue->dispatched % clock->depth] + 1' 'queue->starts[queue->dispatched % clock->depth]'
mutant "fast: a shift does not wait for the plane" sim/fast_start.c 'fast_later(before->taken, before->shift_end)' 'before->shift_end'
mutant "fast: sums are there a cycle early" sim/fast_start.c 'flight->end + clock->skew - 1' 'flight->end + clock->skew - 2'
mutant "fast: tiles overtake one another" sim/fast_start.c 'if (flight->tile > 0) tile->whole' 'if (flight->tile > 1000) tile->whole'
mutant "fast: the cycle of a product's dispatch counts as a wait" sim/fast_count.c 'take(&cursor, flight->dispatched + 1, end)' 'take(&cursor, flight->dispatched, end)'
mutant "fast: sums of another array are not waited for" sim/fast_clock.c 'older->array == flight->array' 'older->array != flight->array + 64'
mutant "twin: a shift pushes the weights below it down" sim/systemc/array.cpp 'std::min(s.age - place + 1, columns_)' 'std::min(s.age + 1, columns_)'
mutant "twin: the setup buffer holds nothing" sim/systemc/matrix.cpp 'f.held = std::move(lines)' 'f.held.clear()'
mutant "twin: slots are given back as shifts end" sim/systemc/fetch.cpp 'for (; in_place(given_back_); given_back_++)' 'for (; given_back_ < shifted_; given_back_++)'
mutant "twin: results in the pipeline are not forwarded" sim/systemc/vector_unit.cpp 'forward_ = reads_its_results(*j)' 'forward_ = false && reads_its_results(*j)'
mutant "twin: the DRAM unit goes before fetch" sim/systemc/dram.cpp 'next_ = fetch_->plan().channel' 'next_ = channel_'
mutant "twin: an operand that only touches another's end waits" sim/systemc/job.cpp 'a.low < b.high && b.low < a.high' 'a.low <= b.high && b.low < a.high'
[ "$missed" -eq 0 ] || { echo "$missed of 12 were missed" >&2; exit 1; }
