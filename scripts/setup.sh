#!/bin/sh
# Installs what systrace, its examples and its tests need from the distribution, and only what is
# missing: where nothing is, it needs neither root nor a network. Called by make setup, and with a
# word behind the Python by make test-kernels (`emulator`: QEMU too) and by make bench (`bench`:
# what systrace is measured against).
set -eu

missing=

# need PACKAGE CHECK...: PACKAGE is missing unless the command CHECK succeeds.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

installed() {
    dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

if ! command -v apt-get >/dev/null 2>&1; then
    if python3 -c 'import bcc' && command -v go && command -v gcc && command -v strace &&
        command -v gdb; then
        exit 0
    fi >/dev/null 2>&1
    echo "setup installs packages on Debian and Ubuntu only; install them, then make again:" >&2
    if command -v pacman >/dev/null 2>&1; then
        echo "  sudo pacman -S python-bcc go gcc musl strace gdb perf stress-ng" >&2
    else
        echo "  sudo dnf install python3-bcc golang gcc musl-gcc strace gdb perf stress-ng" >&2
    fi
    exit 1
fi

need python3-bpfcc installed python3-bpfcc
need python3-venv "$1" -c 'import ensurepip'
need golang-go test -x /usr/bin/go
need gcc command -v gcc
need libc6-dev installed libc6-dev
need musl-tools command -v musl-gcc
need strace command -v strace
need gdb command -v gdb
need stress-ng command -v stress-ng
if [ "$(dpkg --print-architecture)" = amd64 ]; then
    need gcc-multilib installed gcc-multilib # the tests call int 0x80 from 32-bit programs
fi
if [ "${2-}" = emulator ]; then
    need qemu-system-x86 command -v qemu-system-x86_64
fi
# Ubuntu's perf is a script that looks for the running kernel's own package.
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID ${ID_LIKE-}") in
*ubuntu*) perf=linux-tools-generic ;;
*) perf=linux-perf ;;
esac
installed "$perf" || need "$perf" perf --version

if [ "${2-}" = bench ]; then
    need bpftrace command -v bpftrace
    need bpfcc-tools installed bpfcc-tools
fi

[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1; then
    as_root='sudo -E'
else
    echo "missing:$missing; there is no sudo here, so run as root: apt-get install$missing" >&2
    exit 1
fi

apt() {
    # Unattended upgrades may hold the lock on a fresh machine.
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"
}

echo "installing:$missing"
apt update
if [ "$perf" = linux-tools-generic ] && apt-cache show "linux-tools-$(uname -r)" >/dev/null 2>&1
then
    missing=$(echo "$missing" | sed "s/linux-tools-generic/& linux-tools-$(uname -r)/")
fi
# shellcheck disable=SC2086 # a list of words
apt install -y --no-install-recommends $missing
