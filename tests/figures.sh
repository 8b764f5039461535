#!/bin/sh
# figures.sh ROOT WEFT [--write]: README.md shows what `make demo` prints, and the table of docs/validation.md what `weft paper isca2017` does.
# With --write they are made so. Both follow the compiler's every change of a cycle, so this is part of `make soak` and of `make docs`.
set -eu
root=$1 weft=$2 write=${3-}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/docs"
cd "$scratch"

"$root/tools/demo.sh" "$weft" >said 2>progress || { cat progress >&2 && exit 1; }
awk '/^In \// { exit } { if ($0 == "") blank++; else { for (; blank; blank--) print ""; print } }' said >demo # the report, without the list of files
awk '/<!-- demo: begin/ { print; print "\n```"; while ((getline line <"demo") > 0) print line; print "```\n"; hidden = 1 }
     /<!-- demo: end/ { hidden = 0 }
     !hidden' "$root/README.md" >README.md

"$weft" paper isca2017 --tables >paper
awk '$2 == "array" && $3 == "active," { name = $1 }
     $1 == "useful," { theirs = $(NF - 2); ours = $(NF - 1) }
     $1 == "TeraOps/s" && NF == 5 { printf "| %s | %s | %s | %+.0f%% | %s%% | %s%% |\n", name, $2, $3, $5, theirs, ours }' paper >rows
awk '/^\| (MLP|LSTM|CNN)[01] \|/ { getline <"rows" } { print }' "$root/docs/validation.md" >docs/validation.md

status=0
for page in README.md docs/validation.md; do
    cmp -s "$page" "$root/$page" && continue
    if [ "$write" ]; then
        cat "$page" >"$root/$page"
    else
        echo "$page is not what weft prints today; \`make docs\` writes it anew:" >&2
        diff "$root/$page" "$page" >&2 || status=1
    fi
done
exit $status
