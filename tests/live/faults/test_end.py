# SPDX-License-Identifier: Apache-2.0
"""How a child ends. One of threads has put everything away by then, and takes leave of the directory; one of prefork ends in a
signal handler, wherever that finds it, and must touch nothing of what it was at: it leaves its connections to the system."""
import pytest

from lab.fake import BASE, PASSWORD, Fake
from lab.httpd import MPMS
from lab.process import poll


@pytest.fixture
def fake():
    """slapd does not log an unbind behind which the connection ends at once, if it is busy."""
    fake = Fake()
    yield fake
    fake.stop()


@pytest.mark.parametrize("model", MPMS)
def test_takes_leave_unless_from_a_signal_handler(start, fake, model):
    httpd = start(f'Use Login /in "ldap://127.0.0.1:{fake.port}" {BASE}', mpm=model)
    assert httpd.get("/in/", login=("ann", PASSWORD)).status == 200
    assert fake.open_connections() == 2
    httpd.stop()
    poll(lambda: not fake.open_connections(), 10, "the connections closed")
    assert fake.unbinds == (0 if model == "prefork" else 2)
