# SPDX-License-Identifier: Apache-2.0
"""Load: wrk with a login for each request, and browsers that wait."""
import os
import random
import re
import selectors
import socket
import subprocess
import tempfile
import threading
import time
from collections import namedtuple
from pathlib import Path

from lab.process import poll

# Who logs in: what comes before the first request, and how one is made. `n` counts the requests of one run, from a random
# number on, so that short runs do not leave the same users out; `run` tells runs apart. What repeats itself is made
# beforehand: wrk shares the processors with what it measures.
_ONE = ('local all = {{}}\nfor i = 0, {count} - 1 do all[i] = made({login}) end', "return all[n % {count}]")
LOGINS = {
    "plain": _ONE + (1, "nil"),
    "one": _ONE + (1, '"u0", "Pw!right"'),  # the same one, again and again
    "many": _ONE + (1000, '"u" .. i, "Pw!right"'),
    "wrong": ("", 'return made("u" .. n % 1000, "Pw!wrong" .. run .. "-" .. n)'),
    "unknown": ("", 'return made("nobody" .. run .. "-" .. n, "Pw!right")'),
    "mixed": (_ONE[0].format(count=1000, login='"u" .. i, "Pw!right"'), """local kind = n % 10
        if kind == 0 then return made("u" .. n % 1000, "Pw!wrong" .. run .. "-" .. n)
        elseif kind == 1 then return made("nobody" .. run .. "-" .. n, "Pw!right")
        elseif kind == 2 then return made(nil)
        else return all[n * 7 % 1000] end"""),
}
SCRIPT = """
local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local function base64(text)
    local out = {{}}
    for i = 1, #text, 3 do
        local a, b, c = text:byte(i, i + 2)
        local bits = a * 65536 + (b or 0) * 256 + (c or 0)
        for place = 3, 0, -1 do
            local at = math.floor(bits / 64 ^ place) % 64 + 1
            out[#out + 1] = (place == 1 and not b or place == 0 and not c) and "=" or letters:sub(at, at)
        end
    end
    return table.concat(out)
end
local function made(user, password)
    return "GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\n" ..
        (user and "Authorization: Basic " .. base64(user .. ":" .. password) .. "\\r\\n" or "") .. "\\r\\n"
end
local n, run = {first}, "{run}"
{before}
function request()
    n = n + 1
    {login}
end
function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d %d\\n", summary.requests, summary.duration, e.status,
        e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""
_runs = 0

Result = namedtuple("Result", "requests seconds not_2xx broken median p99")
Result.rate = property(lambda self: self.requests / self.seconds)


def wrk(httpd, login, path="/in/", seconds=1.0, connections=8, first=None):
    """One run of it. first: the number of the first request, instead of a random one."""
    return finish(begin(httpd, login, path, seconds, connections, first))


def _script(login, path, first):
    before, each, *rest = LOGINS[login]
    if rest:
        before, each = (text.format(count=rest[0], login=rest[1]) for text in (before, each))
    first = random.randrange(1 << 24) if first is None else first
    return SCRIPT.format(run=f"{time.time_ns()}", first=first, before=before, login=each, path=path)


def begin(httpd, login, path="/in/", seconds=1.0, connections=8, first=None):
    global _runs
    _runs += 1
    script = Path(tempfile.gettempdir()) / f"authstatus-wrk-{os.getpid()}-{_runs}.lua"
    script.write_text(_script(login, path, first))
    process = subprocess.Popen(["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30", "-s", script,
                                f"http://127.0.0.1:{httpd.port}{path}"], stdout=subprocess.PIPE, text=True)
    process.script = script
    return process


def finish(process):
    said = process.communicate()[0]
    process.script.unlink()
    line = next((line for line in said.splitlines() if line.startswith("RESULT ")), None)
    if not line:
        raise RuntimeError(f"wrk said: {said}")
    requests, duration, not_2xx, broken, median, p99 = map(int, line.split()[1:])
    return Result(requests, duration / 1e6, not_2xx, broken, median / 1000, p99 / 1000)


def wait_for_answers(httpd, process, more, seconds=60):
    """Waits until httpd has answered so many more requests of a run, by its access log, or until the run is over."""
    with open(httpd.workdir / "logs/access", "rb") as log:
        log.seek(0, os.SEEK_END)
        seen = 0

        def are_answered():
            nonlocal seen
            seen += log.read().count(b"\n")
            return seen >= more or process.poll() is not None

        poll(are_answered, seconds, f"{more} answers")


class Browsers:
    """So many people who log in, wait for the answer, and try again after its Retry-After, or a second later; each
    with a name of his own. `patient`: False, they all try again a second later."""

    def __init__(self, httpd, count=200, patient=True):
        from lab.client import basic
        self.port = httpd.port
        self.patient = patient
        self.requests = [b"GET /in/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: "
                         + basic(f"u{number}", "Pw!right") + b"\r\n\r\n" for number in range(count)]
        self.answers = []  # (status, seconds)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        selector = selectors.DefaultSelector()
        due = {number: 0.0 for number in range(len(self.requests))}
        while not self._stop.is_set():
            now = time.monotonic()
            for number in [number for number, at in due.items() if at <= now]:
                del due[number]
                connection = socket.create_connection(("127.0.0.1", self.port), 30)
                connection.sendall(self.requests[number])
                selector.register(connection, selectors.EVENT_READ, (number, now))
            for key, _ in selector.select(0.05):
                number, begun = key.data
                head = key.fileobj.recv(4096)
                selector.unregister(key.fileobj)
                key.fileobj.close()
                self.answers.append((int(head.split()[1]) if head else 0, time.monotonic() - begun))
                after = re.search(rb"\r\nRetry-After: (\d+)", head) if self.patient else None
                due[number] = time.monotonic() + (int(after[1]) if after else 1)
        for key in list(selector.get_map().values()):
            key.fileobj.close()
