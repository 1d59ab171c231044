# SPDX-License-Identifier: Apache-2.0
"""The directory that most tests of this folder query."""
from pathlib import Path

import pytest

from lab.slapd import Database
from memory.shared import ADMINISTRATOR, Person

HERE = Path(__file__).parent
OPTIONS = ("ppolicy_use_lockout", f'rootdn "{ADMINISTRATOR}"', "rootpw Pw!service")


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=memory", HERE / "people.ldif", OPTIONS))


@pytest.fixture
def person(slapd):
    """Somebody whom no other test knows, to be changed as a test likes."""
    return Person(slapd)
