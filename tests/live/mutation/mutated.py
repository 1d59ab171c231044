# SPDX-License-Identifier: Apache-2.0
"""A directory whose answers are those of real directories, mutated; and what of all that it sent was a success.

Who asks is known by the name and the password, which are of one login alone: `u12` with `right-12` or `wrong-12`. What is
mutated, and how, follows from the seed and that name: a login that showed something shows it again.
"""
import asyncio
import csv
import random
import threading

from lab import ber
from lab.outcomes import SOURCE

BASE = "dc=fake"
SERVICE = "cn=service,dc=fake"
PPOLICY = "1.3.6.1.4.1.42.2.27.8.5.1"
UNTOUCHED = "whole"  # the name of one whom nothing happens to
PATIENCE = 1.0  # of who asks: what is not answered by then is not waited for


def recorded():
    """(code, diagnostic, controls) of real directories, and what the corpora of the fuzz targets hold."""
    answers = set()
    lines = (SOURCE / "tests/unit/directory-answers.tsv").read_text().splitlines()
    for row in csv.DictReader((line for line in lines if not line.startswith("#")), delimiter="\t"):
        controls = tuple(tuple(control.strip().split("=")) for control in (row["controls"] or "").split(";") if control.strip())
        answers.add((int(row["code"]), (row["diagnostic"] or "").encode(), tuple((oid, bytes.fromhex(value)) for oid, value in controls)))
    corpus = SOURCE / "tests/fuzz/corpus"
    for path in (corpus / "ppolicy").iterdir():
        answers |= {(code, b"", ((PPOLICY, path.read_bytes()),)) for code in (0, 49)}
    answers |= {(code, path.read_bytes(), ()) for path in (corpus / "diagnostic").iterdir() for code in (0, 49, 53)}
    assert len(answers) > 100, "the recorded answers are gone"
    return sorted(answers)


# -- mutations of one message ----------------------------------------------------------------------------------------

def flip(dice, data):
    data = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)


def replace(dice, data):
    at = dice.randrange(len(data))
    return data[:at] + bytes([dice.choice((0, 1, 0x30, 0x61, 0x7F, 0x80, 0x84, 0xA0, 0xFF, dice.randrange(256)))]) + data[at + 1:]


def insert(dice, data):
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.randbytes(dice.choice((1, 2, 8, 300))) + data[at:]


def remove(dice, data):
    at = dice.randrange(len(data))
    return data[:at] + data[at + dice.choice((1, 2, 5, 40)):]


def repeat(dice, data):
    at, size = dice.randrange(len(data)), dice.choice((1, 4, 20, 100))
    return data[:at] + data[at:at + size] * dice.choice((2, 2, 50)) + data[at + size:]


def cut(dice, data):
    return data[:dice.randrange(len(data))]


def elements(data, depth=0):
    """Where the elements of BER begin, at any depth: (begin, content, end)."""
    at = 0
    while at < len(data) and depth < 8:
        size = ber.size_of(data[at:])
        if not size:
            return
        head = 2 if data[at + 1] < 0x80 else 2 + (data[at + 1] & 0x7F)
        yield at, at + head, at + size
        if data[at] & 0x20:
            for begin, content, end in elements(data[at + head:at + size], depth + 1):
                yield at + head + begin, at + head + content, at + head + end
        at += size


def lie(dice, data):
    """Another length of one element, and of no other."""
    found = list(elements(data))
    begin, content, _ = dice.choice(found)
    length = dice.choice((b"\0", b"\x01", b"\x7f", b"\x80", b"\x81\x01", b"\x84\xff\xff\xff\xff", b"\x83\0\0\x05", b"\xff"))
    return data[:begin + 1] + length + data[content:]


def retag(dice, data):
    begin, _, _ = dice.choice(list(elements(data)))
    tag = dice.choice((0x02, 0x04, 0x0A, 0x30, 0x42, 0x61, 0x64, 0x65, 0x73, 0x78, 0x79, 0x80, 0xA0, 0xA3, 0x1F))
    return data[:begin] + bytes([tag]) + data[begin + 1:]


def rewrap(dice, data):
    """The same with one element's content changed, and all lengths around it right."""
    def walk(octets, path):
        out = b""
        for position, (tag, content) in enumerate(ber.read_all(octets)):
            if path and position == path[0]:
                content = walk(content, path[1:]) if len(path) > 1 else dice.choice(
                    (b"", b"\0", b"\xff" * 5, content * 3, dice.randbytes(8), content[:-1]))
            out += ber.tlv(tag, content)
        return out
    return walk(data, [0] + [dice.randrange(3) for _ in range(dice.choice((1, 2, 2, 3)))])


MUTATIONS = (flip, flip, replace, insert, remove, repeat, cut, lie, retag, rewrap, rewrap)


def mutate(dice, data):
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        try:
            data = dice.choice(MUTATIONS)(dice, data) or b"\0"
        except (ValueError, IndexError):
            pass  # what is no BER any more cannot be changed as such
    return data


# -- what was said ---------------------------------------------------------------------------------------------------

def is_control(tag, content):
    parts = ber.read_all(content)
    return tag == 0x30 and parts and parts[0][0] == 0x04


def message_id_of(content):
    """(the message's id, the rest): libldap takes any tag for it, those of several octets too."""
    at = 1
    if content and content[0] & 0x1F == 0x1F:
        while at < len(content) and content[at] & 0x80:
            at += 1
        at += 1
    _, number, rest = ber.read(b"\x02" + content[at:])
    return ber.number(number), rest


def succeeded(message, message_id):
    """Is it a BindResponse to this request that says success, and well-formed (RFC 4511 4.1.1, 4.1.9, 4.2.2)?"""
    try:
        (tag, content), = ber.read_all(message)
        number, content = message_id_of(content)
        (operation, result), *more = ber.read_all(content)
        (kind, code), (matched, _), (diagnostic, _), *_ = ber.read_all(result)
        if not all(is_control(*control) for tag_of, controls in more if tag_of == 0xA0 for control in ber.read_all(controls)):
            return False
    except ValueError:
        return False
    return ((tag, operation, kind, matched, diagnostic) == (0x30, ber.BIND_RESPONSE, 0x0A, 0x04, 0x04)
            and number == message_id and len(code) > 0 and ber.number(code) == 0)


class _Client:
    """One connection of httpd's."""

    def __init__(self, directory, reader, writer):
        self.directory = directory
        self.reader = reader
        self.writer = writer
        self.binds = {}   # message id: password
        self.sent = b""   # and not yet framed

    async def serve(self):
        buffer = b""
        while True:
            while (size := ber.size_of(buffer)) is None:
                data = await self.reader.read(65536)
                if not data:
                    return
                buffer += data
            element, buffer = buffer[:size], buffer[size:]
            (_, content), = ber.read_all(element)
            (_, number), (tag, operation), *_ = ber.read_all(content)
            if tag == ber.UNBIND or not await self.answer(ber.number(number), tag, operation):
                return

    async def answer(self, number, tag, operation):
        if tag == ber.BIND:
            (_, _), (_, dn), (_, password) = ber.read_all(operation)
            self.binds[number] = password
            if dn in (b"", SERVICE.encode()):
                return await self.send(self.directory.dice(b"service"), ber.message(number, ber.result(ber.BIND_RESPONSE, 0)), 0.03)
            name, dice = password, self.directory.dice(password)
            if password == UNTOUCHED.encode():
                return await self.send(dice, ber.message(number, ber.result(ber.BIND_RESPONSE, 0)), 0)
            self.directory.queried += 1
            return await self.send(dice, self.bound(dice, number, name.startswith(b"right")), 0.85)
        if tag == ber.SEARCH:
            _, _, _, _, _, _, (kind, content), _ = ber.read_all(operation)
            user = dict(ber.equalities(ber.tlv(kind, content))).get("uid", b"")
            dice = self.directory.dice(b"search" + user)
            share = 0 if user == UNTOUCHED.encode() else 0.1
            return await self.send(dice, self.found(dice, number, user, share > 0), share)
        return tag == ber.ABANDON

    def bound(self, dice, number, right):
        code, diagnostic, controls = dice.choice(self.directory.recorded)
        if right and dice.random() < 0.5:
            code = 0
        elif not right and code == 0:
            code = 49
        answer = ber.message(number, ber.result(ber.BIND_RESPONSE, code, diagnostic), [ber.control(*control) for control in controls])
        if dice.random() < 0.03:
            # Of another question, and before the right one.
            answer = ber.message(number + dice.choice((-1, 1, 256)), ber.result(ber.BIND_RESPONSE, 0)) + answer
        return answer

    def found(self, dice, number, user, vary):
        entry = ber.message(number, ber.entry(b"uid=" + user + b"," + BASE.encode(), {"uid": [user], "mail": [user + b"@x"]}))
        done = ber.message(number, ber.result(ber.DONE, dice.choice((0,) * 9 + (4, 32, 51)) if vary else 0))
        kind = dice.random() if vary else 1
        if kind < 0.03:
            return entry + entry + done
        if kind < 0.06:
            return done
        if kind < 0.09:
            # A success of the bind that is to come.
            return entry + ber.message(number + 1, ber.result(ber.BIND_RESPONSE, 0)) + done
        return entry + done

    async def send(self, dice, data, share):
        mutated = dice.random() < share
        if mutated:
            data = mutate(dice, data)
        self.note(data)
        self.writer.write(data)
        await self.writer.drain()
        # Who waits for the rest of a message, or for an answer to what was understood otherwise, is not left to wait; but a
        # few are.
        if mutated and dice.random() < 0.98:
            await asyncio.sleep(0.002)
            return False
        return True

    def note(self, data):
        """Which of the binds that were asked for has had its success, in what has been sent."""
        self.sent += data
        while self.sent and (size := ber.size_of(self.sent)):
            message, self.sent = self.sent[:size], self.sent[size:]
            for number, password in self.binds.items():
                if succeeded(message, number):
                    self.directory.successes.add(password.decode())


class Directory:
    def __init__(self, seed):
        self.seed = seed
        self.recorded = recorded()
        self.successes = set()  # passwords whose bind was answered with success
        self.queried = 0          # binds of users
        self.turn = 0
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self.thread.start()
        started.wait(10)

    def dice(self, name):
        if name == b"service":
            self.turn += 1
            name += b"%d" % self.turn
        return random.Random(b"%d " % self.seed + name)

    def _run(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self.loop.close()

    async def _serve(self, reader, writer):
        try:
            await _Client(self, reader, writer).serve()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
