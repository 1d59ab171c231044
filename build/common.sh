# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Functions shared by build/check and build/demo; sourced.

# The top of the source.
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Servers are in sbin, which an ordinary user's PATH does not have.
PATH=$PATH:/usr/sbin:/sbin
export PATH
# The output of tools is parsed: messages must not be translated, and numbers must not have a comma.
LC_ALL=C.UTF-8
export LC_ALL
# configure would take bash for itself, libtool and make, which start it for each file; a smaller sh starts sooner.
CONFIG_SHELL=/bin/sh
export CONFIG_SHELL

say() { printf '%s\n' "$*"; }

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# cannot SENTENCE: what is missing is this machine's.
cannot() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 77
}

# with_its_end COMMAND...: runs it without input, and shows the last lines of its output where it fails. The file they are kept in has
# no name: an interrupted run leaves none behind.
with_its_end() {
    local log output code=0
    log=$(mktemp)
    exec {output}<>"$log"
    rm "$log"
    "$@" >&"$output" 2>&1 </dev/null || code=$?
    [ $code = 0 ] || tail -n 20 "/dev/fd/$output" >&2
    exec {output}>&-
    return $code
}

# The Debian packages of the arguments that are not installed, one a line. A virtual one (dh-apache2) is, where another
# provides it.
packages_missing() {
    # dpkg-query fails on a system without packages, and shows those that were removed.
    # shellcheck disable=SC2016 # dpkg-query's
    dpkg-query -W -f '${db:Status-Status},${Package},${Provides}\n' 2>/dev/null | awk -v wanted="$*" '
        BEGIN { count = split(wanted, names, " ") }
        /^installed,/ {
            split($0, own, ",")
            there[own[2]] = 1
            $0 = substr($0, length(own[1] own[2]) + 3)
            gsub(/\([^)]*\)|[ \t]/, "")
            of = split($0, provided, ",")
            for (i = 1; i <= of; i++) there[provided[i]] = 1
        }
        END { for (i = 1; i <= count; i++) if (!(names[i] in there)) print names[i] }'
}

# Installs missing Debian packages. Without dpkg, configure reports missing parts. Where they cannot be installed the program ends
# with 77, automake's code for a test that was skipped: it is not the source's fault.
packages_install() {
    local missing as_root=()
    if ! command -v dpkg-query >/dev/null; then
        say "Not a Debian system: README has the packages' names elsewhere."
        return 0
    fi
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || cannot "these packages are missing, and root can install them: apt-get install ${missing[*]}"
        as_root=(sudo -n)
    fi
    say "Installing ${missing[*]} ..."
    # Two runs side by side: apt waits for dpkg's lock but not for that of its lists, and both would want to put
    # policy-rc.d in place, hence one lock around all of it. A directory can be locked and leaves no file behind.
    { declare -f with_its_end; cat <<'EOF'; } | "${as_root[@]}" flock /var/lib/apt bash -s -- "${missing[@]}" || cannot "the packages could not be installed"
set -eu
export DEBIAN_FRONTEND=noninteractive
# Installing slapd must not start one: invoke-rc.d asks this program, and 101 forbids. It is removed when apt is done; one
# that is left of a run that was killed has our mark and is ours to replace. Another's stays.
policy=/usr/sbin/policy-rc.d
mark='# mod_authstatus: while packages are installed'
if [ ! -e "$policy" ] || grep -qxF "$mark" "$policy"; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM HUP
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
fi
apt() { with_its_end apt-get -qq -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@"; }
apt update
apt install -y --no-install-recommends "$@"
EOF
}

# Copies the source to a new directory: what git would commit, or all of an unpacked release. autoreconf writes beside the
# sources, and two runs (or a run and an editor) must not use it at once.
source_copy() {
    local to=$1
    mkdir -p "$to"
    # safe.directory: root may well look at another user's clone.
    if [ -e "$source_dir/.git" ] && command -v git >/dev/null; then
        git -c safe.directory='*' -C "$source_dir" ls-files -z --cached --others --exclude-standard |
            (cd "$source_dir" && while IFS= read -r -d '' file; do
                # Deleted and not yet committed is deleted.
                [ ! -e "$file" ] || printf '%s\0' "$file"
            done) | tar -C "$source_dir" --null --no-recursion -T - -cf - | tar -C "$to" -xf -
    else
        tar -C "$source_dir" --exclude=.git --exclude=__pycache__ --exclude=.libs --exclude=.deps --exclude='*.o' \
            --exclude='*.lo' --exclude='*.la' --exclude=./config.status --exclude=./Makefile -cf - . | tar -C "$to" -xf -
    fi
}
