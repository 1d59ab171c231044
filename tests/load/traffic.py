# SPDX-License-Identifier: Apache-2.0
"""Mixed traffic whose every answer is judged: by the request, its user, the time, and the answers allowed then."""
import asyncio
import base64
import itertools
import random
import re
import time
from collections import Counter, namedtuple

PEOPLE = 60
# Names in the directory and what it says of them; each person has a password of his own, so that a mix-up would show.
RIGHT = "Pw!right-{}"
USERS = {f"u{number}": "granted" for number in range(PEOPLE)} | {"locked": "locked", "expired": "expired"}

# `fine`: the status where the directory answers. `asks`: it may have to be asked, so that an outage may be told.
Kind = namedtuple("Kind", "name share fine asks")

KINDS = [
    Kind("good", 40, 200, True),
    Kind("bad", 8, 401, True),
    Kind("another's password", 5, 401, True),
    Kind("unknown", 5, 401, True),
    Kind("empty", 2, 401, False),
    Kind("malformed", 2, 401, False),
    Kind("none", 5, 401, False),
    Kind("locked", 2, 401, True),
    Kind("expired", 2, 403, True),
    Kind("not allowed", 4, 403, True),
    Kind("guessing", 3, 401, True),
    Kind("masked, not allowed", 4, 404, True),
    Kind("masked, bad", 4, 404, True),
    Kind("masked, none", 3, 404, False),
    Kind("masked, good", 4, 200, True),
    Kind("missing", 2, 404, False),
    Kind("plain", 5, 200, False),
]

Asked = namedtuple("Asked", "kind path user authorization")
Got = namedtuple("Got", "status head body")

_numbers = itertools.count()


def _basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def make(chance):
    """A request, and who asks it."""
    kind = chance.choices(KINDS, [kind.share for kind in KINDS])[0]
    number = chance.randrange(PEOPLE)
    user, password, path = f"u{number}", RIGHT.format(f"u{number}"), f"/who/page.shtml?{next(_numbers)}"
    if kind.name.startswith("masked"):
        path = "/masked/group/page.shtml" if kind.name == "masked, not allowed" else "/masked/page.shtml"
    if kind.name in ("bad", "masked, bad"):
        password = f"Pw!wrong-{chance.randrange(1000)}"
    elif kind.name == "another's password":
        password = RIGHT.format(f"u{(number + 1) % PEOPLE}")
    elif kind.name == "unknown":
        user = f"nobody{chance.randrange(1000)}"
    elif kind.name == "empty":
        password = ""
    elif kind.name in ("locked", "expired"):
        user, password = kind.name, RIGHT.format(kind.name)
    elif kind.name == "guessing":
        user, password, path = f"u{number}", f"Pw!guess-{next(_numbers)}", "/throttled/page.shtml"
    elif kind.name == "not allowed":
        path = "/group/page.shtml"
    elif kind.name == "missing":
        path = "/no-such-page"
    elif kind.name == "plain":
        path = "/page.shtml"
    authorization = _basic(user, password)
    if kind.name in ("none", "masked, none", "missing", "plain"):
        user, authorization = None, None
    elif kind.name == "malformed":
        authorization = "Basic %%%"
    return Asked(kind, path, user, authorization)


class Times:
    """When the directory was away, on the monotonic clock."""

    def __init__(self, recovery):
        self.recovery = recovery  # how long answers are cached, in seconds
        self.spans = []

    def begin(self):
        self.spans.append([time.monotonic(), float("inf")])

    def end(self):
        self.spans[-1][1] = time.monotonic() + self.recovery

    def touch(self, begun, ended):
        return any(begun <= to and ended >= since for since, to in reversed(self.spans))


def fault(asked, got, outage, missing, proven):
    """What is wrong with an answer, or None. `missing`: the whole answer for a page that does not exist, without its
    name. `proven`: this user was let in behind this server's mask before, and is told an outage."""
    user = asked.user or "(none)"
    if got.status == 200:
        expected = f"user={user if asked.path != '/page.shtml' else '(none)'}\n"
        if asked.kind.fine != 200:
            return f"GRANTED to who must not be: {got.body!r}"
        return None if got.body == expected.encode() else f"GRANTED to somebody else: {got.body!r}, not {expected!r}"
    if got.status == 503 and asked.kind.asks and outage:
        return None if b"\nRetry-After: " in got.head else "503 without Retry-After"
    allowed = {asked.kind.fine}
    if asked.kind.name == "guessing":
        allowed.add(429)
    elif asked.kind.name == "masked, good" and outage and not proven:
        allowed.add(404)
    if got.status not in allowed:
        return f"{got.status} and not {asked.kind.fine}{' in an outage' if outage else ''}"
    if (got.status == 401) != (b"\nWWW-Authenticate: " in got.head):
        return f"{got.status}, and its challenge is wrong"
    if got.status == 404 and normal(got) != missing:
        return f"masked, and not as a missing page: {normal(got)!r}"
    return None


def normal(got):
    """An answer but for its date, and whether the connection is kept, which a restart decides."""
    head = re.sub(rb"(?im)^(date|connection|keep-alive): [^\r]*\r\n", b"", got.head)
    return head, got.body


class Lost(Exception):
    """A request that got no answer although its connection was new, or part of an answer."""


class Client:
    """One connection at a time, kept as long as httpd likes. One that httpd closed while it was idle is no loss: its
    request is sent again on a new one (RFC 9112 9.3.1)."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None
        self.used = 0
        self.closed_when_idle = 0

    async def ask(self, asked):
        for attempt in (1, 2):
            try:
                return await self._exchange(asked)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                used, partial = self.used, getattr(error, "partial", b"")
                await self.close()
                if used > 1 and not partial and attempt == 1:
                    self.closed_when_idle += 1
                    continue
                raise Lost(f"{error!r} on request {used} of a connection") from None
        raise AssertionError

    async def close(self):
        if self.writer:
            self.writer.close()
            try:
                await self.writer.wait_closed()
            except (ConnectionError, OSError):
                pass
        self.reader = self.writer = None
        self.used = 0

    async def _exchange(self, asked):
        if not self.writer:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.used += 1
        lines = [f"GET {asked.path} HTTP/1.1", "Host: localhost"]
        if asked.authorization:
            lines.append(f"Authorization: {asked.authorization}")
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await self.writer.drain()
        head = (await self.reader.readuntil(b"\r\n\r\n"))[:-2]
        try:
            body = await self._body(head)
        except asyncio.IncompleteReadError as error:
            raise Lost(f"the rest of an answer: {head!r} {error!r}") from None
        if re.search(rb"(?i)\nconnection: close", head):
            await self.close()
        return Got(int(head.split(b" ", 2)[1]), head, body)

    async def _body(self, head):
        if length := re.search(rb"(?i)\ncontent-length: *(\d+)", head):
            return await self.reader.readexactly(int(length[1]))
        if not re.search(rb"(?i)\ntransfer-encoding: *chunked", head):
            raise Lost(f"an answer without a length: {head!r}")
        body = b""
        while True:
            size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
            body += (await self.reader.readexactly(size + 2))[:-2]
            if not size:
                return body


class Tally:
    def __init__(self):
        self.kinds = Counter()
        self.statuses = Counter()
        self.proven = set()  # (port, user) of who was let in behind a mask
        self.faults = []
        self.fault_count = 0
        self.closed_when_idle = 0
        self.slowest = 0.0

    def blame(self, sentence):
        self.fault_count += 1
        if len(self.faults) < 30:
            self.faults.append(sentence)

    def count(self):
        return sum(self.kinds.values())


async def client(port, seed, until, pause, times, missing, tally):
    """Asks until then, with pauses of random length around `pause`."""
    chance = random.Random(seed)
    one = Client(port)
    while time.monotonic() < until:
        asked = make(chance)
        begun, proven = time.monotonic(), (port, asked.user) in tally.proven
        try:
            got = await asyncio.wait_for(one.ask(asked), 30)
        except (Lost, OSError, asyncio.TimeoutError) as error:
            tally.blame(f"LOST: {asked.kind.name} {asked.path} {asked.user}: {error!r}")
            await one.close()
            continue
        ended = time.monotonic()
        tally.kinds[asked.kind.name] += 1
        tally.statuses[got.status] += 1
        tally.slowest = max(tally.slowest, ended - begun)
        if got.status == 200 and asked.kind.name == "masked, good":
            tally.proven.add((port, asked.user))
        if wrong := fault(asked, got, times.touch(begun, ended), missing, proven):
            tally.blame(f"{asked.kind.name}, {asked.path}, {asked.user}: {wrong}")
        if chance.random() < 0.05:
            await one.close()
        await asyncio.sleep(chance.random() * 2 * pause)
    tally.closed_when_idle += one.closed_when_idle
    await one.close()


async def ask_missing(port):
    """The answer that masked ones must be equal to."""
    one = Client(port)
    got = await one.ask(Asked(KINDS[-2], "/masked-no-such-page", None, None))
    await one.close()
    assert got.status == 404, got
    return normal(got)
