# SPDX-License-Identifier: Apache-2.0
"""What is done to a machine: faults.c, and what tells it."""
import os
import subprocess
from pathlib import Path

import pytest

from faults.machine import Faults
from lab.httpd import SANITIZE

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def library(workdirs):
    path = workdirs.new("library") / "faults.so"
    subprocess.run([os.environ.get("CC", "cc").split()[0], "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", path,
                    *(() if SANITIZE else ("-DWITH_MALLOC",)), HERE / "faults.c", "-ldl"], check=True)
    return path


@pytest.fixture
def faults(workdirs):
    made = Faults(workdirs.new("faults"))
    yield made
    made.clear()
