# SPDX-License-Identifier: Apache-2.0
"""The corpora of the fuzz targets that need httpd (tests/fuzz/in_httpd.c), replayed in a real one."""
import os
import subprocess

import pytest
from lab.httpd import MODULES, PROGRAM, _apxs
from lab.outcomes import SOURCE

CORPORA = sorted(path.name for path in (SOURCE / "tests/fuzz/corpus_httpd").iterdir())
MODULE_SOURCES = ("core", "ldap", "cache", "login", "httpd")


@pytest.fixture(scope="module")
def module(workdirs):
    """mod_authstatus with the targets in it; error_body.c is within in_httpd.c."""
    workdir = workdirs.new("in-httpd")
    built = workdir / "in_httpd.so"
    sources = [SOURCE / "mod_authstatus.c", SOURCE / "tests/fuzz/in_httpd.c"]
    sources += [path for name in MODULE_SOURCES for path in sorted((SOURCE / "src" / name).rglob("*.c")) if path.name != "error_body.c"]
    apr = subprocess.run(["apr-1-config", "--cppflags", "--includes"], capture_output=True, text=True, check=True).stdout.split()
    command = [*os.environ.get("CC", "gcc").split(), "-std=gnu11", "-g", "-O0", "-shared", "-fPIC", "-w", *_apxs("EXTRA_CPPFLAGS").split(),
               f"-I{_apxs('INCLUDEDIR')}", *apr, *[f"-I{SOURCE / path}" for path in ("", "include", "src", "tests/fuzz")],
               *map(str, sources), "-o", str(built), "-lldap", "-llber", "-lcrypto", "-lutf8proc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = ("mpm_event", "authn_core", "authz_core", "socache_shmcb")
    (workdir / "httpd.conf").write_text("\n".join([
        f'ServerRoot "{workdir}"', "ServerName localhost", f'ErrorLog "{workdir}/error"',
        *[f'LoadModule {name}_module "{MODULES}/mod_{name}.so"' for name in names],
        f'LoadModule authstatus_module "{built}"', f'LoadModule authstatus_fuzz_module "{built}"', ""]))
    return workdir


def test_there_are_corpora():
    assert len(CORPORA) >= 3


@pytest.mark.parametrize("name", CORPORA)
def test_corpus(module, name):
    corpus = SOURCE / "tests/fuzz/corpus_httpd" / name
    done = subprocess.run([PROGRAM, "-t", "-f", str(module / "httpd.conf")], capture_output=True, text=True, errors="replace",
                          env={"PATH": os.environ["PATH"], "AUTHSTATUS_FUZZ_TARGET": name, "AUTHSTATUS_FUZZ_ARGUMENTS": str(corpus)},
                          timeout=60, check=False)
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr}"
    assert f"{len(list(corpus.iterdir()))} inputs" in done.stdout
