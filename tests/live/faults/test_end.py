# SPDX-License-Identifier: Apache-2.0
"""How a child ends. One of threads has put everything away by then, and takes leave of the directory; one of prefork ends in a
signal handler, wherever that finds it, and must touch nothing of what it was at: it leaves its connections to the system."""
import json
import os
import signal
import threading

import pytest

from lab.fake import BASE, PASSWORD, Fake
from lab.httpd import MPMS
from lab.process import children, poll, thread_states


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
    # The event MPM may look at a connection that a worker has just ended, and crash: its own.
    poll(lambda: all(thread_states(child) == {"S"} for child in httpd.children()), 10, "httpd is at rest")
    httpd.stop()
    poll(lambda: not fake.open_connections(), 10, "the connections closed")
    assert fake.unbinds == (0 if model == "prefork" else 2)


def test_script_that_is_told_to_stop_before_it_runs(start, fake, faults, library):
    """Until it runs it is a copy of the child that forked it, with the cleanups of that child: what the child has in the report
    stays."""
    httpd = start(f"""Use Login /in "ldap://127.0.0.1:{fake.port}" {BASE}
    ScriptAlias /script "${{DOCS}}/script.cgi"
    <Location /report>
        SetHandler authstatus-report
        Require local
    </Location>""", mpm="prefork", modules=("cgi",), files={"script.cgi": "#!/bin/sh\necho; echo it ran\n"}, preload=library,
                  environment={"FAULTS_FILE": str(faults.path)})
    httpd.log.expect("End of script output before headers: script.cgi")

    def processes():
        servers = json.loads(httpd.get("/report?json").body)["servers"]
        return [server["processes"] for server in servers if server["server"] == f"127.0.0.1:{fake.port}"]

    with httpd.connection() as connection:
        assert connection.request("/in/", login=("ann", PASSWORD)).status == 200
        assert processes() == [1]
        faults.set(held=1)
        answers = []
        request = threading.Thread(target=lambda: answers.append(connection.request("/script")))
        request.start()
        script, = poll(lambda: [pid for child in httpd.children() for pid in children(child)], 10, "the script's process")
        os.kill(script, signal.SIGTERM)
        request.join()
        assert answers[0].status == 500 and processes() == [1]
