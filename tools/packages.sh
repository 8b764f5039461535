#!/bin/sh
# Installs the packages of the groups named (build, test, lint) that are missing. `--list` prints them instead, one a line.
set -eu
list=$(dirname "$0")/packages.txt
only_list=no
if [ "${1-}" = --list ]; then
    only_list=yes
    shift
fi

wanted=$(awk -v groups="${*:-build test lint}" 'BEGIN { n = split(groups, g); for (i = 1; i <= n; i++) on[g[i]] = 1 } !/^#/ && $1 in on { print $2 }' "$list")
if [ $only_list = yes ]; then
    printf '%s\n' $wanted
    exit 0
fi

if ! command -v dpkg-query >/dev/null; then
    echo "packages.sh: this is not a Debian; install by hand what these packages hold:" $wanted >&2
    exit 0
fi
missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    *"ok installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "packages.sh: not root and no sudo; ask an administrator for: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing:$missing" >&2
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
# Recommended packages are left out: what we need is listed.
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install $missing >/dev/null
