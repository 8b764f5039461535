#!/bin/sh
# bare-debian.sh DIRECTORY: the newcomer's trial. Makes a bare Debian 12 in DIRECTORY/debian with git, make and sudo, clones this repository's last
# commit into it, and runs `make demo` and `make check` there as a user who may use sudo. Needs root and debootstrap. DIRECTORY is left as it is at
# the end; an existing Debian in it is used again, with the clone renewed.
set -eu
[ $# = 1 ] || { echo "usage: bare-debian.sh DIRECTORY" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "bare-debian.sh: needs root, for chroot" >&2; exit 1; }
# In a name space of its own: nothing of this host is ever seen mounted in DIRECTORY, whatever ends this script, and who removes it removes no device.
[ "${BARE_DEBIAN_APART-}" ] || exec env BARE_DEBIAN_APART=1 unshare --mount --propagation private sh "$0" "$@"
command -v debootstrap >/dev/null || { echo "bare-debian.sh: needs debootstrap" >&2; exit 1; }
repository=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
debian=$(cd "$1" && pwd)/debian

# The mirror, and the proxy if there is one, that this host uses.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    sed -n -e 's/^URIs: *\([^ ]*\).*/\1/p' -e 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' | grep -m 1 '/debian/*$' || echo http://deb.debian.org/debian)
proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)

if [ ! -e "$debian/etc/debian_version" ]; then
    ${proxy:+env "http_proxy=$proxy"} debootstrap --variant=minbase --include=git,make,sudo,ca-certificates bookworm "$debian" "$mirror"
fi
[ -z "$proxy" ] || echo "Acquire::http::Proxy \"$proxy\";" >"$debian/etc/apt/apt.conf.d/50proxy"
cp /etc/resolv.conf /etc/hosts "$debian/etc/"
chroot "$debian" id newcomer >/dev/null 2>&1 || chroot "$debian" useradd --create-home --shell /bin/bash newcomer
echo 'newcomer ALL=(ALL) NOPASSWD: ALL' >"$debian/etc/sudoers.d/newcomer"

for place in proc sys dev; do
    mount --rbind "/$place" "$debian/$place" || echo "bare-debian.sh: goes on without /$place" >&2
done

rm -rf "$debian/home/newcomer/weft"
git clone --quiet --no-hardlinks "$repository" "$debian/home/newcomer/weft"
chroot "$debian" chown -R newcomer:newcomer /home/newcomer/weft
for target in demo check; do
    echo "--- make $target ---"
    chroot "$debian" su - newcomer -c "cd weft && make $target"
done
