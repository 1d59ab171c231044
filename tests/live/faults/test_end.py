# SPDX-License-Identifier: Apache-2.0
"""How a child ends. One of threads has put everything away by then, and takes leave of the directory; one of prefork ends in a
signal handler, wherever that finds it, and must touch nothing of what it was at: it leaves its connections to the system."""
from pathlib import Path

import pytest

from lab.httpd import MPMS
from lab.slapd import Database

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=faults", HERE / "people.ldif", ('rootdn "cn=root,o=faults"', "rootpw Pw!service")))


@pytest.mark.parametrize("model", MPMS)
def test_takes_leave_unless_from_a_signal_handler(start, slapd, model):
    httpd = start(f'Use Login /in "ldap://127.0.0.1:{slapd.port}" o=faults', mpm=model)
    mark = slapd.mark()
    assert httpd.get("/in/", login=("ann", "Pw!right")).status == 200
    httpd.stop()
    slapd.wait_for_silence()
    left = [line for line in slapd.lines(mark) if line.endswith(" UNBIND")]
    assert bool(left) == (model != "prefork"), slapd.lines(mark)
