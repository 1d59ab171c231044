# SPDX-License-Identifier: Apache-2.0
"""Two suffixes of one directory that locks accounts, twice as generous as the throttle."""
from pathlib import Path

import pytest

from lab.fake import Fake
from lab.slapd import Database
from throttle.shared import Account, options_of

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(*(Database(suffix, HERE / "people.ldif", options_of(suffix)) for suffix in ("o=staff", "o=partners")))


@pytest.fixture(scope="module")
def fake():
    fake = Fake()
    yield fake
    fake.stop()


@pytest.fixture
def account(slapd):
    return Account(slapd, "o=staff")
