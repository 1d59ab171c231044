# SPDX-License-Identifier: Apache-2.0
"""The throttle as a property. Whatever is typed, wherever, in whatever order and at once, over restarts and with a store
that comes and goes: no more wrong passwords reach an account than the throttle allows, until a right one does; and nobody
whose passwords are all right is ever throttled. A run tells its seed; AUTHSTATUS_SEED repeats it."""
import base64
import hashlib
import os
import random
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.process import reserve_port
from lab.stores import Redis, key_file
from throttle.shared import LIMIT, RIGHT, WRONG, Account, spellings, wrong_binds

HERE = Path(__file__).parent
SEED = int(os.environ.get("AUTHSTATUS_SEED", random.SystemRandom().randrange(10**6)))
STEPS = 45
ADDRESS = "192.0.2.50"  # of those whose passwords are right
# What the providers of stores, mod_auth_basic and this module have to say of it all.
EXPECTED = ("AH0161[78]", "AH0347[89]", "AH03480", "AH0079[01]", "AS0040", "AS008[45]", "AS0022")
# Several children of event, whose threads come and go.
CHILDREN = "ThreadsPerChild 8\nMaxRequestWorkers 24\nServerLimit 4\nStartServers 3\nMinSpareThreads 24\nMaxSpareThreads 24\n"

Row = namedtuple("Row", "name mpm store machines")
ROWS = [Row("event", "event", "shmcb", 1), Row("prefork", "prefork", "shmcb", 1), Row("no-cache", "event", "Off", 1),
        Row("redis-that-fails", "event", "redis", 1), Row("redis-that-fails-prefork", "prefork", "redis", 1),
        Row("two-machines", "event", "redis", 2)]
# Where staff log in: path and port. The user binds for himself at the last.
STAFF = [("wiki", "HTTP"), ("cloud", "HTTP"), ("git", "HTTP"), ("wiki", "OTHER"), ("chain", "HTTP"), ("chain-file", "HTTP"), ("list", "HTTP"), ("self", "HTTP")]


class World:
    """The machines, their directory and store, and what has been done to them."""

    def __init__(self, row, httpds, slapd, store, choose):
        self.row, self.httpds, self.slapd, self.store, self.choose = row, httpds, slapd, store, choose
        self.attacked = [Account(slapd, "o=staff") for _ in range(4)]
        self.quiet = [Account(slapd, "o=staff"), Account(slapd, "o=partners")]
        self.passwords = 0
        self.changed = {}
        self.frozen = False
        self.restarted = 0
        # Over several machines each process may exceed the limit by the one guess that it has under way.
        self.most = LIMIT if row.machines == 1 else LIMIT + sum(len(httpd.children()) for httpd in httpds)
        self.story = []

    def login(self, name, password, place, address=None):
        """From an address that nobody else has, unless one is given."""
        path, port = place
        address = address or f"2001:db8:{self.choose.randrange(65536):x}:{self.choose.randrange(65536):x}::1"
        return self.choose.choice(self.httpds).get(f"/in/{path}/", login=(name, password), port=port,
                                                   headers=[("X-Forwarded-For", address)]).status

    def wrong(self):
        self.passwords += 1
        return f"{WRONG}{self.passwords}"

    # -- what may happen

    def guess(self):
        account = self.choose.choice(self.attacked)
        guesses = [(self.choose.choice(spellings(account.uid)), self.wrong(), self.choose.choice(STAFF))
                   for _ in range(self.choose.choice((1, 1, 1, 3, 6, 12)))]
        with ThreadPoolExecutor(12) as threads:
            statuses = list(threads.map(lambda guess: self.login(*guess), guesses))
        assert set(statuses) <= {401, 403, 429}, statuses
        return account.uid, statuses

    def log_in(self):
        """With the right password: in at once, unless there are as many wrong ones."""
        account = self.choose.choice(self.attacked)
        wrong = wrong_binds(self.slapd, account.dns[0])
        place = self.choose.choice(STAFF)
        status = self.login(account.uid, RIGHT, place, ADDRESS)
        assert status == 200 or (status == 429 and (wrong >= LIMIT or self.row.machines > 1)), (status, wrong, place)
        return account.uid, status

    def log_in_quietly(self):
        """All of this account's passwords are right; they are changed, so that not all are cached."""
        account = self.choose.choice(self.quiet)
        partner = account.dns[0].endswith("o=partners")
        if self.choose.random() < 0.5:
            self.passwords += 1
            self.changed[account.uid] = f"Pw!new{self.passwords}"
            account.set_password(self.changed[account.uid], "o=partners" if partner else "o=staff")
        place = ("chain", "HTTP") if partner else self.choose.choice(STAFF)
        status = self.login(account.uid, self.changed.get(account.uid, RIGHT), place, ADDRESS)
        assert status == 200, (status, place)
        return account.uid, status

    def page(self):
        """Many requests of one page at once, with the right password."""
        account = self.quiet[0]
        place = self.choose.choice(STAFF[:4])
        password = self.changed.get(account.uid, RIGHT)
        with ThreadPoolExecutor(8) as threads:
            statuses = set(threads.map(lambda _: self.login(account.uid, password, place, ADDRESS), range(8)))
        assert statuses == {200}, (statuses, place)
        return account.uid, 200

    def invent(self):
        names = [(f"nobody{self.choose.randrange(10**9)}", RIGHT, self.choose.choice(STAFF)) for _ in range(20)]
        with ThreadPoolExecutor(8) as threads:
            return set(threads.map(lambda name: self.login(*name), names))

    def restart(self):
        """Not again at once: httpd takes no signal while it reads its configuration."""
        if len(self.story) >= self.restarted + 5:
            self.choose.choice(self.httpds).reload()
            self.restarted = len(self.story)

    def disturb(self):
        """A store that is there again, or is away. Between machines only what it holds is lost."""
        if self.row.machines == 1 and self.store:
            self.frozen = not self.frozen
            (self.store.freeze if self.frozen else self.store.thaw)()
            return "frozen" if self.frozen else "thawed"
        return None

    def lose(self):
        if self.row.machines == 1 and self.store and not self.frozen:
            self.store.flush()

    # -- what must be true

    def step(self):
        act = self.choose.choice([self.guess] * 6 + [self.log_in] * 3 + [self.log_in_quietly] * 3
                                 + [self.page, self.invent, self.restart, self.disturb, self.lose])
        self.story.append((act.__name__, act()))
        for account in self.attacked:
            wrong = wrong_binds(self.slapd, account.dns[0])
            assert wrong <= self.most, f"{wrong} wrong passwords of {account.uid} reached the directory"


@pytest.fixture
def store(workdirs):
    one = Redis(workdirs.new("store")).start()
    yield one
    one.thaw()
    one.stop()


def start_machines(start, slapd, store, row):
    text = f'AuthStatusCacheKey "{key_file(store.workdir)}"\n' if row.store == "redis" else ""
    text += (CHILDREN if row.mpm == "event" else "") + f'Include "{HERE}/site.conf"\n'
    for _ in range(row.machines):
        httpd = start.make(text, mpm=row.mpm, defines={"LDAP": slapd.port, "NOBODY": reserve_port()}, listen=("HTTP", "OTHER"),
                           cache=store.cache if row.store == "redis" else row.store,
                           modules=("remoteip", "socache_shmcb", "socache_redis"))
        (httpd.workdir / "users").write_text("filed:{SHA}" + base64.b64encode(hashlib.sha1(b"Pw!file").digest()).decode() + "\n")
        httpd.start()
        httpd.log.allow(*EXPECTED)
        yield httpd


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_no_more_guesses_than_allowed_and_no_right_password_refused(start, slapd, store, row):
    print(f"AUTHSTATUS_SEED={SEED}")
    choose = random.Random(f"{SEED} {row.name}")
    httpds = list(start_machines(start, slapd, store, row))
    world = World(row, httpds, slapd, store if row.store == "redis" else None, choose)
    try:
        for _ in range(STEPS):
            world.step()
    finally:
        print(*world.story, sep="\n")
    assert sum(act == "guess" for act, _ in world.story) >= 5
    assert all(not account.is_locked() for account in world.attacked) or row.machines > 1
    for httpd in httpds:
        httpd.stop()
