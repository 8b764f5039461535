#!/bin/sh
# html.sh ROOT WEFT: the HTML report in a headless Chromium: it draws every chart in light and in dark, sorts by a click, and asks nothing of a network.
# Skipped where there is no Chromium, or none that can start.
set -eu
root=$1 weft=$2
command -v chromium >/dev/null || exit 77
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export WEFT_DATA=$root HOME=$scratch

show() { # show PAGE: its elements once its scripts have run
    timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$scratch/profile" --dump-dom "file://$scratch/$1" 2>"$scratch/chromium.log"
}
fail() {
    echo "$1" >&2
    exit 1
}

echo '<!doctype html><p id="up">up</p>' >up.html
show up.html >up.dom || exit 77
grep -q 'id="up"' up.dom || exit 77

"$weft" run mlp-784-512-10 --batch 16 --what-if --check -q --report html=run.html --report json=run.json
for theme in light dark; do
    show "run.html#$theme" >page.dom
    head -c 400 page.dom | grep -q "data-theme=\"$theme\"" || fail "not in $theme"
    head -c 400 page.dom | grep -q 'data-state="ready"' || fail "the page of $theme did not come to its end: $(head -c 400 page.dom)"
    head -c 400 page.dom | grep -q 'data-charts="6"' || fail "roofline, cycles, energy, area, what-if and layers are six charts: $(head -c 400 page.dom)"
    ! head -c 400 page.dom | grep -q 'data-error' || fail "an error on the page: $(head -c 400 page.dom)"
done

# A click on "cycles" puts the costliest layer first, another the cheapest.
click='[...document.querySelectorAll("th")].filter(t => t.textContent === "cycles")[0].click();'
first='root.dataset.first = [...document.querySelectorAll("table")].pop().querySelector("tbody tr").children[4].textContent;'
for clicks in 1 2; do
    script=$click
    [ $clicks = 1 ] || script=$click$click
    sed "s|</body>|<script>$script$first</script></body>|" run.html >clicked.html
    show clicked.html | head -c 500 | sed -n 's/.*data-first="\([0-9,]*\)".*/\1/p' | tr -d , >first.$clicks
done
sed -n '/"layers"/,$ s/^      "cycles": \([0-9]*\),*$/\1/p' run.json | sort -n >cycles
[ "$(cat first.1)" = "$(tail -n 1 cycles)" ] || fail "first after one click: $(cat first.1), the most is $(tail -n 1 cycles)"
[ "$(cat first.2)" = "$(head -n 1 cycles)" ] || fail "first after two clicks: $(cat first.2), the least is $(head -n 1 cycles)"

# Nothing is loaded: the page's own policy forbids it, and no element has a source.
grep -q "default-src 'none'" run.html || fail "the page has no policy"
! grep -E -q '<(script|img|link|iframe)[^>]* (src|href)=' run.html || fail "the page names another file"

# A store of a sweep: 2 x 2 machines; its page draws the front and a heat map, and sorts.
cat >plan.yaml <<'END'
name: four
base: tpu-v1
networks: [mlp-784-512-10]
batches: [1]
axes:
  - {field: array.rows, values: [64, 128]}
  - {field: dram.bytes_per_second, values: [1G, 30G]}
END
"$weft" sweep plan.yaml -o four.db -q
"$weft" report four.db -o four.html -q
for theme in light dark; do
    show "four.html#$theme" >page.dom
    head -c 400 page.dom | grep -q 'data-state="ready"' || fail "the page of a store did not come to its end: $(head -c 400 page.dom)"
    ! head -c 400 page.dom | grep -q 'data-error' || fail "an error on the page of a store: $(head -c 400 page.dom)"
    grep -q 'class="heat"' page.dom || fail "no heat map"
    [ "$(grep -o '<tr><td' page.dom | wc -l)" = 4 ] || fail "four points are four rows"
done
sed "s|</body>|<script>${click}root.dataset.first = [...document.querySelectorAll('table')].pop().querySelector('tbody tr').lastChild.textContent;</script></body>|" four.html >clicked.html
show clicked.html | head -c 500 | sed -n 's/.*data-first="\([0-9,]*\)".*/\1/p' | tr -d , >first
"$weft" sweep --csv four.db | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "cycles") c = i; next } { print $c }' | sort -n | tail -n 1 >most
[ -s first ] && cmp -s first most || fail "first after a click on cycles: $(cat first), the most is $(cat most)"
