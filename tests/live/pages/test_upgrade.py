# SPDX-License-Identifier: Apache-2.0
"""`apachectl graceful` behind an upgrade: the module is another file, and shared memory that the old one has written means
something else. It must not be found: counts begin anew, and no child crashes."""
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest

from lab.httpd import BUILD, MODULE, SANITIZE, SOURCE
from lab.process import reserve_port
from pages.watched import watched

CONF = "AuthStatusRetryAfter 1s\n" + watched('AuthLDAPURL "ldap://127.0.0.1:${NOBODY}/dc=x?uid"')


def same(old, new):
    shutil.copy(old, new)


def replaced(text, other):
    """A module with another text of the same length."""
    def make(old, new):
        octets = old.read_bytes()
        assert octets.count(text) >= 1 and len(text) == len(other)
        new.write_bytes(octets.replace(text, other))
    return make


def swapped(one, other):
    """A module whose outcomes have another order."""
    def make(old, new):
        octets = old.read_bytes()
        assert len(one) == len(other) and octets.count(one + b"\0") == octets.count(other + b"\0") == 1
        place = b"\1" * len(one)
        octets = octets.replace(one + b"\0", place + b"\0").replace(other + b"\0", one + b"\0")
        new.write_bytes(octets.replace(place + b"\0", other + b"\0"))
    return make


def larger(old, new):
    """A module whose counters need more memory: linked of what was built, but for counters.c."""
    code = (SOURCE / "src/cache/counters.c").read_text()
    bigger, count = re.subn(r"^#define GENERATIONS .+$", "#define GENERATIONS 1048576", code, flags=re.M)
    assert count == 1
    unit = new.with_name("counters.c")
    unit.write_text(bigger)
    include = subprocess.run(["apr-1-config", "--includes", "--cppflags"], capture_output=True, text=True, check=True).stdout.split()
    linked = [*map(str, BUILD.rglob(".libs/mod_authstatus_la-*.o")), str(unit.with_suffix(".o")),
              *(str(BUILD / f".libs/lib{name}.a") for name in ("login", "ldapclient", "cache", "core"))]
    compiler = shlex.split(os.environ.get("CC", "cc"))
    subprocess.run([*compiler, "-std=gnu11", "-O1", "-fPIC", f"-I{SOURCE}/include", f"-I{SOURCE}/src", f"-I{SOURCE}/src/cache",
                    *include, "-D_GNU_SOURCE", "-c", unit, "-o", unit.with_suffix(".o")], check=True)
    libraries = re.findall(r"^(?:LDAP|CRYPTO|UTF8PROC)_LIBS = (.*)$", (BUILD / "Makefile").read_text(), re.M)
    subprocess.run([*compiler, "-shared", "-Wl,-Bsymbolic", *linked, *shlex.split(" ".join(libraries)), "-o", new], check=True)


VERSION = re.search(r"^AC_INIT\(\[mod_authstatus\],\[(.*)\]\)", (SOURCE / "configure.ac").read_text(), re.M).group(1)
OTHER = re.sub(r"\d", "9", VERSION)


@pytest.mark.parametrize("make, finds", [
    pytest.param(same, True, id="the same"),
    pytest.param(replaced(VERSION.encode(), OTHER.encode()), False, id="version"),
    pytest.param(swapped(b"directory-down", b"account-locked"), False, id="order of outcomes"),
    pytest.param(larger, False, id="size", marks=pytest.mark.skipif(SANITIZE, reason="links without a sanitizer")),
])
def test_upgrade(start, tmp_path, make, finds):
    module = tmp_path / "mod_authstatus.so"
    shutil.copy(MODULE, module)
    make(module, tmp_path / "new.so")
    site = start.make(CONF, module=module, defines={"NOBODY": reserve_port()}, cache="shmcb", modules=("socache_shmcb",))
    site.start()

    def counted():
        report = json.loads(site.get("/report?json").body)
        return {name: outcome["count"] for name, outcome in report["outcomes"].items() if outcome["count"]}, report["version"]

    site.log.allow("AS0050")
    for _ in range(3):
        assert site.get("/in/", login=("ann", "Pw!right")).status == 503
    assert counted() == ({"directory-down": 3}, VERSION)
    os.replace(tmp_path / "new.so", module)
    site.reload()
    now, version = counted()
    assert now == ({"directory-down": 3} if finds else {})
    assert version == (OTHER if OTHER.encode() in module.read_bytes() else VERSION)
    site.get("/in/", login=("ann", "Pw!right"))
    assert sum(counted()[0].values()) == sum(now.values()) + 1
    assert not [line for line in site.log.lines(0) if "exit signal" in line.text]
