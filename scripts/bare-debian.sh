#!/bin/sh
# Types the README's two set-up commands in a bare Debian file system, with only the packages the
# README names. Needs root, and debootstrap (it is unpacked from its package if absent).
#     sudo scripts/bare-debian.sh [SUITE]      (bookworm)
# The Rust toolchain is bound in read-only; crates come from a copy of the local cargo cache, so
# that nothing is fetched that `cargo fetch` has not fetched before.
# DEBIAN_MIRROR names another mirror than the one debootstrap knows.
set -eu
cd "$(dirname "$0")/.."
project=$PWD
suite=${1:-bookworm}
cargo_home=${CARGO_HOME:-$HOME/.cargo}

[ "$(id -u)" = 0 ] || { echo "bare-debian: must run as root" >&2; exit 2; }
sysroot=$(rustc --print sysroot 2>/dev/null) || { echo "bare-debian: no Rust here" >&2; exit 2; }

# What the README tells a bare Debian to install, and its two commands: read from it, not repeated.
packages=$(sed -n 's/^sudo apt-get install -y //p' README.md | head -1)
first=$(sed -n 's/^\(cargo run --release -- .*\)$/\1/p' README.md | head -1 | sed 's/ *#.*//')
second=$(sed -n 's/^\(cargo test\)$/\1/p' README.md | head -1)
[ -n "$packages" ] && [ -n "$first" ] && [ -n "$second" ] || {
    echo "bare-debian: the README does not name packages and both commands" >&2
    exit 2
}

work=$(mktemp -d)
root=$work/root
mkdir "$root"
clean_up() {
    for place in proc dev toolchain; do
        if mountpoint -q "$root/$place" 2>/dev/null; then umount -l "$root/$place"; fi
    done
    # Never through a mount that would not go.
    if grep -q " $root/" /proc/mounts; then
        echo "bare-debian: still mounted below $root, left as it is" >&2
    else
        rm -rf "$work"
    fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

if ! command -v debootstrap >/dev/null 2>&1; then
    (cd "$work" && apt-get download -qq -o APT::Sandbox::User=root debootstrap)
    dpkg-deb -x "$work"/debootstrap_*.deb "$work/tools"
    export DEBOOTSTRAP_DIR="$work/tools/usr/share/debootstrap"
    PATH="$work/tools/usr/sbin:$PATH"
fi

echo "== a bare $suite" >&2
# shellcheck disable=SC2086 # no mirror is no argument
debootstrap --variant=minbase "$suite" "$root" ${DEBIAN_MIRROR:-} >"$work/debootstrap.log" 2>&1 || {
    tail -20 "$work/debootstrap.log" >&2
    exit 1
}
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
mkdir "$root/toolchain"
mount --bind "$sysroot" "$root/toolchain"
mount -o remount,bind,ro "$root/toolchain"

echo "== apt-get install $packages" >&2
inside() {
    chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb DEBIAN_FRONTEND=noninteractive \
        PATH=/toolchain/bin:/usr/sbin:/usr/bin:/sbin:/bin CARGO_HOME=/cargo "$@"
}
# shellcheck disable=SC2086 # a list of packages
inside apt-get install -qq -y --no-install-recommends $packages >"$work/apt.log" 2>&1 || {
    tail -20 "$work/apt.log" >&2
    exit 1
}

echo "== a clean clone" >&2
mkdir -p "$root/cargo/registry"
cargo fetch --locked --quiet
for part in index cache; do
    if [ -d "$cargo_home/registry/$part" ]; then
        cp -a "$cargo_home/registry/$part" "$root/cargo/registry/"
    fi
done
git clone --quiet --no-hardlinks "$project" "$root/root/batchctl"

run() {
    echo "== \$ $1" >&2
    start=$(date +%s)
    inside CARGO_NET_OFFLINE=true sh -c "cd /root/batchctl && $1" </dev/null
    echo "== $(($(date +%s) - start)) s: $1" >&2
}
run "$first"
run "$second"
echo "bare-debian: both commands work with only: $packages" >&2
