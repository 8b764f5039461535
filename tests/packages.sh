#!/bin/sh
# packages.sh ROOT: what CMake looks for is in tools/packages.txt. Skipped where there is no dpkg to ask.
set -eu
cd "$1"
command -v dpkg-query >/dev/null || exit 77
listed=$(tools/packages.sh --list build test)
status=0

owner_of_file() { # the package that holds a file, through usrmerge's links too
    dpkg-query -S "$1" 2>/dev/null || dpkg-query -S "$(readlink -f "$1")" 2>/dev/null
}

need() { # need PACKAGE WHY
    for package in $listed; do
        [ "$package" != "$1" ] || return 0
    done
    echo "tools/packages.txt lacks $1, which $2 needs" >&2
    status=1
}

sources=$(git ls-files '*CMakeLists.txt' 2>/dev/null || true)
[ -n "$sources" ] || sources=$(find . -name CMakeLists.txt -not -path './build/*')

for module in $(sed -n 's/.*pkg_\(check\|search\)_modules *(\([^)]*\)).*/\2/p' $sources | tr ' ' '\n' | grep -v -e '^[A-Z_]*$' | sed 's/[><=].*//' | sort -u); do
    directory=$(pkg-config --variable=pcfiledir "$module" 2>/dev/null) || continue # the first word of a call is the caller's own name
    need "$(owner_of_file "$directory/$module.pc" | cut -d: -f1)" "pkg_check_modules($module)"
done
for name in $(sed -n 's/.*find_package *( *\([A-Za-z0-9_]*\).*/\1/p' $sources | sort -u); do
    case $name in
    PkgConfig) need pkg-config "find_package($name)" ;;
    FLEX) need flex "find_package($name)" ;;
    BISON) need bison "find_package($name)" ;;
    ZLIB) need zlib1g-dev "find_package($name)" ;;
    dnnl) need libdnnl-dev "find_package($name)" ;;
    Threads) need libc6-dev "find_package($name)" ;;
    verilator) need verilator "find_package($name)" ;;
    *) echo "tests/packages.sh does not know the package of find_package($name)" >&2 && status=1 ;;
    esac
done
for name in $(sed -n 's/.*find_program *( *[A-Za-z_]* *\(NAMES\)\{0,1\} *\([a-z0-9+-]*\).*/\2/p' $sources | sort -u); do
    path=$(command -v "$name") || continue
    need "$(owner_of_file "$path" | cut -d: -f1 | sed 's/-[0-9.]*$//')" "find_program($name)"
done
for name in $(sed -n 's/.*find_library *( *[A-Za-z_]* *\(NAMES\)\{0,1\} *\([a-z0-9+-]*\).*/\2/p' $sources | sort -u); do
    path=$(realpath -s "$(gcc -print-file-name="lib$name.so")")
    need "$(owner_of_file "$path" | cut -d: -f1)" "find_library($name)"
done
for name in $(sed -n 's/.*find_path *( *[A-Za-z_]* *\(NAMES\)\{0,1\} *\([a-z0-9./_-]*\).*/\2/p' $sources | sort -u); do
    path=$(find /usr/include -name "${name##*/}" -print -quit)
    need "$(owner_of_file "$path" | cut -d: -f1)" "find_path($name)"
done
exit $status
