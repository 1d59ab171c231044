# SPDX-License-Identifier: Apache-2.0
"""The same fault for an httpd of each MPM at once, and whether a server is whole afterwards."""
import re
from concurrent.futures import ThreadPoolExecutor

from lab.httpd import MPMS, open_descriptors
from lab.process import poll

STATUS = """ExtendedStatus On
<Location /status>
    SetHandler server-status
</Location>
"""


class Every:
    """An httpd of each MPM."""

    def __init__(self, make, **options):
        self.httpds = {mpm: make(mpm=mpm, **options) for mpm in MPMS}

    def allow(self, *patterns):
        for httpd in self.httpds.values():
            httpd.log.allow(*patterns)

    def do(self, function):
        """function(httpd) for each at the same time; {mpm: what it returned}. Fails with all that went wrong."""
        with ThreadPoolExecutor(len(self.httpds)) as threads:
            tasks = {mpm: threads.submit(function, httpd) for mpm, httpd in self.httpds.items()}
        wrong = [f"{mpm}: {task.exception()!r}" for mpm, task in tasks.items() if task.exception()]
        assert not wrong, "\n".join(wrong)
        return {mpm: task.result() for mpm, task in tasks.items()}


def descriptors(httpd):
    """The most that one of its children has."""
    return max(map(open_descriptors, httpd.children()))


def at_work(httpd):
    """Scoreboard letters of busy workers, and of those that are being born, without the one of this request."""
    return re.sub(r"[_.K]", "", httpd.scoreboard()).replace("W", "", 1)


def is_whole(httpd, login, path, seconds=10):
    """The right password is granted, a wrong one is refused, and nobody is left at work."""
    poll(lambda: httpd.get(path, login=login).status == 200, seconds, "a good login is granted again")
    # A deadline may be short for a machine that is busy: that is 503, too.
    refused = poll(lambda: (status := httpd.get(path, login=(login[0], "Pw!wrong")).status) != 503 and status, seconds, "a bad one is refused")
    assert refused == 401
    poll(lambda: not at_work(httpd), seconds, "nobody is at work")
