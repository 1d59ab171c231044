# SPDX-License-Identifier: Apache-2.0
"""One site for all pages."""
from pathlib import Path

import pytest

from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=pages", HERE / "people.ldif", ("ppolicy_use_lockout",)))


@pytest.fixture(scope="module")
def site(start, slapd):
    site = start.make(HERE / "site.conf", defines={"LDAP": slapd.port, "NOBODY": reserve_port()},
                      modules=("http2", "status", "socache_shmcb"), cache="shmcb")
    site.log.expect("AS0091.*/report/open")
    site.start()
    # AH10034: prefork, where mod_http2 does not serve.
    site.log.allow("AS0091.*/report/open", "AH10034")
    return site
