# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Root file systems of Debian, for build/try-platform, build/container and `build/inspect portable`; sourced after common.sh.
# All of it is root's. What runs in one has its own mounts and its own process ids: both are gone when the command ends.

# debian_root_lacks [SUITE]: says why there is no such root file system to be had here, and fails; says nothing where it can be made.
debian_root_lacks() {
    local temporary=${TMPDIR:-/tmp}
    [ "$(id -u)" = 0 ] || { say "a root file system is root's to make"; return 1; }
    command -v apt-get >/dev/null || { say "not a Debian system"; return 1; }
    # A container may have some of these and not the others.
    # shellcheck disable=SC2016 # the inner shell's
    unshare --mount --pid --fork sh -e -c '
        at=$(mktemp -d "$1/authstatus-mounts.XXXXXX")
        trap "rm -r \"$at\"" EXIT
        mkdir "$at/a"
        mknod "$at/null" c 1 3
        : >"$at/null"
        mount -t tmpfs tmpfs "$at/a"
        mkdir "$at/a/proc" "$at/a/pts"
        mount -t proc proc "$at/a/proc"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$at/a/pts"
        : >"$at/a/bound"
        mount --bind "$at/a/pts/ptmx" "$at/a/bound"
        umount "$at/a/bound" "$at/a/pts" "$at/a/proc" "$at/a"' sh "$temporary" >/dev/null 2>&1 ||
        { say "this machine allows no namespaces, devices or mounts"; return 1; }
    [ "$(df --output=avail -k "$temporary" | tail -n 1)" -gt 3000000 ] || { say "less than 3 GB are free in $temporary"; return 1; }
    [ -x "$(command -v curl)" ] || return 0
    curl -qsf --max-time 20 -o /dev/null "$(debian_mirror)/dists/${1:-stable}/InRelease" ||
        { say "Debian's archive cannot be reached"; return 1; }
}

# Where this machine has Debian from.
debian_mirror() {
    local from
    # shellcheck disable=SC2016 # apt's
    from=${DEBIAN_MIRROR:-$(apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's,/*$,,; /\/debian$/{p;q}')}
    say "${from:-http://deb.debian.org/debian}"
}

# debian_root_make SUITE DIRECTORY [OPTION...]: a minbase, with the options for debootstrap (--arch=i386). What debootstrap mounts is
# in a namespace of its own, and gone with it, however that ends.
debian_root_make() {
    local suite=$1 root=$2
    shift 2
    with_its_end timeout --foreground "${AUTHSTATUS_DEBOOTSTRAP_SECONDS:-1800}" unshare --mount \
        debootstrap --variant=minbase "$@" "$suite" "$root" "$(debian_mirror)" || return 1
    debian_root_prepare "$root"
}

# debian_root_keep SUITE DIRECTORY [OPTION...]: the same, where it is not there yet. DIRECTORY gets its name when the minbase is
# complete: an interrupted debootstrap leaves nothing that could be taken for one. What apt fetches is kept in DIRECTORY.archives,
# which is one run's at a time, as apt does not wait for it.
debian_root_keep() {
    local suite=$1 root=$2 complete=var/lib/authstatus-complete lock
    shift 2
    mkdir -p "$root.archives/partial"
    export AUTHSTATUS_ARCHIVES=$root.archives
    # The descriptor stays open as long as this shell.
    exec {lock}<"$root.archives"
    flock --nonblock "$lock" || { say "Waiting for another run with $root ..."; flock "$lock"; }
    [ ! -e "$root/$complete" ] || return 0
    if [ -e "$root" ]; then
        say "$root is there and is no complete Debian of ours: remove it, or name another directory" >&2
        return 1
    fi
    say "A Debian $suite ..."
    (
        making=$(mktemp -d "$root.making.XXXXXX") || exit 1
        trap 'debian_root_remove "$making"' EXIT
        trap 'exit 1' INT TERM HUP
        # mktemp's is its owner's alone; apt fetches as a user of its own.
        chmod 755 "$making"
        debian_root_make "$suite" "$making" "$@" && : >"$making/$complete" || exit 1
        # Another run may have been faster: its minbase is as good.
        mv -T "$making" "$root" 2>/dev/null || [ -e "$root/$complete" ]
    )
}

# How this machine reaches Debian is how that one does, nothing is started there by itself, and dpkg does not wait for the disk.
debian_root_prepare() {
    local root=$1
    cp /etc/resolv.conf "$root/etc/"
    apt-config dump 2>/dev/null | grep -iE '^Acquire::(https?::Proxy|Check-)' >"$root/etc/apt/apt.conf.d/90as-here" || true
    mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/as-here"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}

# debian_root_run DIRECTORY COMMAND...: runs it there, with a clean environment. The processes it leaves are killed.
# With AUTHSTATUS_NET=--net its network is its own, too, and has a loopback alone.
# debian_root_exec does so in place of this shell, for the background: who kills it kills all that runs there.
# Its root is a mount, without which a program there could make no namespace of mounts.
debian_root_run() { (debian_root_exec "$@"); }
debian_root_exec() {
    local root=$1
    shift
    # shellcheck disable=SC2016 # the inner shell's
    # shellcheck disable=SC2086 # a word or none
    exec unshare --mount --pid --fork --kill-child ${AUTHSTATUS_NET:-} sh -e -c '
        root=$1
        shift
        [ -z "$AUTHSTATUS_NET" ] || ip link set lo up
        mount --bind "$root" "$root"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mkdir -p "$root/run/lock" "$root/dev/pts"
        mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
        [ -L "$root/dev/ptmx" ] || mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx"
        [ -z "$AUTHSTATUS_ARCHIVES" ] || mount --bind "$AUTHSTATUS_ARCHIVES" "$root/var/cache/apt/archives"
        exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive ${DEB_BUILD_OPTIONS:+DEB_BUILD_OPTIONS="$DEB_BUILD_OPTIONS"} "$@"' sh "$root" "$@"
}

# debian_root_install DIRECTORY PACKAGE...
debian_root_install() {
    local root=$1
    shift
    # shellcheck disable=SC2016 # the inner shell's
    with_its_end debian_root_run "$root" sh -e -c 'apt-get -qq update
        apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "$@"' sh "$@"
}

debian_root_remove() { rm -rf --one-file-system "${1:?}"; }
