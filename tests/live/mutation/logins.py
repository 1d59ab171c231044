# SPDX-License-Identifier: Apache-2.0
"""Logins, many at a time, whose answers are read strictly (RFC 9112): whatever a directory said, it is HTTP."""
import asyncio
import base64
import re
from collections import Counter

STATUS = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t -~\x80-\xff]*")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?[ \t]*")
STATUSES = {200, 401, 403, 500, 503}
SECONDS = 120


class Wrong(Exception):
    """What came is not what may come."""


async def read_answer(reader):
    """(status, fields, body) of one answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    status = STATUS.fullmatch(first)
    if not status:
        raise Wrong(f"a status line: {first!r}")
    fields = []
    for line in lines:
        field = FIELD.fullmatch(line)
        if not field:
            raise Wrong(f"a field: {line!r}")
        fields.append((field[1].lower(), field[2] or b""))
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(lengths) != 1 or not lengths[0].isdigit() or any(name == b"transfer-encoding" for name, _ in fields):
        raise Wrong(f"no one length: {head!r}")
    return int(status[1]), fields, await reader.readexactly(int(lengths[0]))


def check(status, fields):
    if status not in STATUSES:
        raise Wrong(f"a status that no outcome of these has: {status}")
    challenges = [value for name, value in fields if name == b"www-authenticate"]
    if len(challenges) != (status == 401) or any(not value.startswith(b"Basic realm=") for value in challenges):
        raise Wrong(f"{status} with the challenges {challenges}")
    if any(name == b"retry-after" for name, _ in fields) != (status == 503):
        raise Wrong(f"{status} and Retry-After: {fields}")


async def _fetch(connection, port, path, user, password):
    """On the connection that was kept, if any. httpd may close that one when it is idle (RFC 9112 9.3.1): then on a new one,
    which is to be answered."""
    request = (b"GET %s HTTP/1.1\r\nHost: localhost\r\nX-Row: %s\r\nAuthorization: Basic %s\r\n\r\n"
               % (path.encode(), password.encode(), base64.b64encode(f"{user}:{password}".encode())))
    while True:
        kept = bool(connection)
        if not kept:
            connection[:] = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = connection
        try:
            writer.write(request)
            return await asyncio.wait_for(read_answer(reader), SECONDS)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if not kept or getattr(error, "partial", b""):
                raise
            drop(connection)


def drop(connection):
    if connection:
        connection[1].close()
    connection.clear()


async def _worker(port, logins, seen):
    connection = []  # reader and writer, or nothing
    for path, user, password in logins:
        try:
            status, fields, _ = await _fetch(connection, port, path, user, password)
            check(status, fields)
            seen["statuses"][status] += 1
            if status == 200:
                seen["granted"].append(password)
            if (b"connection", b"close") in [(name, value.lower()) for name, value in fields]:
                drop(connection)
        except (Wrong, OSError, TimeoutError, asyncio.TimeoutError, asyncio.IncompleteReadError,
                asyncio.LimitOverrunError) as error:
            seen["problems"].append(f"{user} with {password} at {path}: {error!r}")
            drop(connection)
    drop(connection)


async def _all(port, logins, at_once):
    seen = {"statuses": Counter(), "granted": [], "problems": []}
    logins = iter(logins)
    await asyncio.gather(*[_worker(port, logins, seen) for _ in range(at_once)])
    return seen


def run(port, logins, at_once):
    """Counter of statuses, passwords that were let in, and what was wrong."""
    return asyncio.run(_all(port, logins, at_once))
