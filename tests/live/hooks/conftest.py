# SPDX-License-Identifier: Apache-2.0
"""The module probe, built as any module is: by apxs's flags."""
import os
import subprocess
from pathlib import Path

import pytest

from lab.httpd import _apxs
from lab.slapd import Database

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def probe(workdirs):
    """The line that loads it."""
    path = workdirs.new("probe") / "mod_probe.so"
    flags = " ".join(_apxs(name) for name in ("CFLAGS", "EXTRA_CFLAGS", "EXTRA_CPPFLAGS")).split()
    includes = [f"-I{_apxs(name)}" for name in ("INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR")]
    subprocess.run([os.environ.get("CC", "cc").split()[-1], "-shared", "-fPIC", *flags, *includes, "-o", path,
                    HERE / "probe.c"], check=True)
    return f'LoadModule probe_module "{path}"\n'


@pytest.fixture(scope="session")
def people():
    return HERE / "people.ldif"


@pytest.fixture(scope="module")
def slapd(start_slapd, people):
    return start_slapd(Database("o=hooks", people))
