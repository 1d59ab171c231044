# SPDX-License-Identifier: Apache-2.0
"""The functions of build/common.sh and build/debian-root.sh that decide what is installed, and what is kept."""
import os
import subprocess

import pytest

from lab.outcomes import SOURCE

# What dpkg-query says: status, package, what it provides.
INSTALLED = """\
installed,debhelper,debhelper-compat (= 13), dh-sequence-debhelper
installed,apache2-dev,apache2-threaded-dev (= 2.4), dh-apache2, dh-sequence-apache2
installed,gcc,c-compiler
config-files,slapd,ldap-server
"""
# Packages that are asked for, and those of them that are missing.
MISSING = [
    ("gcc debhelper", ""),
    ("dh-apache2", ""),
    ("debhelper-compat dh-sequence-apache2", ""),
    ("dh-apache gcc", "dh-apache"),
    ("slapd", "slapd"),
    ("ldap-server gcc make", "ldap-server make"),
    ("13 2.4", "13 2.4"),
]


def bash(tmp_path, script, **programs):
    """Runs a script with the functions, and with these programs before others in PATH."""
    for name, text in programs.items():
        path = tmp_path / "bin" / name.replace("_", "-")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    return subprocess.run(["bash", "-euo", "pipefail", "-c", f". build/common.sh\n. build/debian-root.sh\n{script}"], cwd=SOURCE,
                          env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "TMPDIR": str(tmp_path), "ROOT": str(tmp_path / "root")},
                          capture_output=True, text=True, timeout=60, check=False, start_new_session=True)


@pytest.mark.parametrize("wanted,missing", MISSING, ids=[row[0] for row in MISSING])
def test_missing(tmp_path, wanted, missing):
    """A package counts as there by its name and by what it provides, and not when only its configuration is left."""
    done = bash(tmp_path, f"packages_missing {wanted}", dpkg_query=f"cat <<'EOF'\n{INSTALLED}EOF")
    assert done.stdout.split() == missing.split(), done.stderr


def test_ordinary_user_is_told_what_is_missing(tmp_path):
    done = bash(tmp_path, "packages_install gcc make cmake", dpkg_query=f"cat <<'EOF'\n{INSTALLED}EOF", id="echo 1000", sudo="exit 1")
    assert done.returncode == 77 and done.stderr.rstrip().endswith("apt-get install make cmake")


def test_ordinary_user_needs_nobody_where_nothing_is_missing(tmp_path):
    done = bash(tmp_path, "packages_install gcc dh-apache2", dpkg_query=f"cat <<'EOF'\n{INSTALLED}EOF", id="echo 1000", sudo="exit 1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# How a debootstrap ends, before and after it has the program that an older version took for the mark of a whole one.
ENDINGS = {"fails": "exit 1", "killed": "kill -KILL $$", "interrupted": "kill -INT $PPID; kill -INT $$", "all terminated": "kill -TERM 0"}
# Not each machine allows namespaces.
UNSHARE = '[ "$1" = --mount ] && shift && exec "$@"'


@pytest.mark.parametrize("ending", ENDINGS)
def test_half_a_debian_is_not_kept(tmp_path, ending):
    """What an interrupted debootstrap leaves has not the name of a whole one; the next run begins anew, and keeps its own.
    What it mounts is in a namespace of its own."""
    half = 'mkdir -p "$3/usr/bin" && touch "$3/usr/bin/dpkg" && chmod +x "$3/usr/bin/dpkg"'
    whole = half + ' && mkdir -p "$3/etc/apt/apt.conf.d" "$3/usr/sbin" "$3/var/lib" && echo x >>"$ROOT.runs"'
    keep = 'debian_root_keep trixie "$ROOT"'
    done = bash(tmp_path, keep, debootstrap=f"{half}; {ENDINGS[ending]}", unshare=UNSHARE)
    assert done.returncode != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "root.archives"]
    for _ in range(2):
        done = bash(tmp_path, keep, debootstrap=whole, unshare=UNSHARE)
        assert done.returncode == 0, done.stdout + done.stderr
        assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "root", "root.archives", "root.runs"]
    assert (tmp_path / "root.runs").read_text() == "x\n"


def test_end_of_the_output(tmp_path):
    """Where a command fails, its last lines are shown, and its status is the function's."""
    script = "with_its_end bash -c 'seq 30; echo told >&2; exit 3' || echo code $?; with_its_end seq 5"
    done = bash(tmp_path, script)
    assert (done.returncode, done.stdout) == (0, "code 3\n")
    assert done.stderr.split() == [str(number) for number in range(12, 31)] + ["told"]
    assert list(tmp_path.iterdir()) == []


def test_other_directory_is_left_alone(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/letter").write_text("Dear ...")
    done = bash(tmp_path, 'debian_root_keep trixie "$ROOT"', debootstrap="exit 1")
    assert done.returncode == 1 and "is no complete Debian of ours" in done.stderr
    assert (tmp_path / "root/letter").read_text() == "Dear ..."


@pytest.mark.parametrize("programs,reason", [
    ({"id": "echo 1000"}, "a root file system is root's to make"),
    ({"id": "echo 0", "unshare": "exit 1"}, "this machine allows no namespaces, devices or mounts"),
    ({"id": "echo 0", "unshare": "exit 0", "df": "echo 1000"}, "less than 3 GB are free in "),
    ({"id": "echo 0", "unshare": "exit 0", "df": "echo 4000000", "curl": "exit 7"}, "Debian's archive cannot be reached"),
], ids=["user", "container", "disk", "network"])
def test_machine_that_cannot_have_a_debian(tmp_path, programs, reason):
    """What try-platform tells with its status 77, which build/check takes for skipped."""
    done = bash(tmp_path, "debian_root_lacks trixie", apt_get="exit 0", apt_config="exit 0", **programs)
    assert done.returncode == 1 and reason in done.stdout, done.stderr
