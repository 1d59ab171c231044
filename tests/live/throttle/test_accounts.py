# SPDX-License-Identifier: Apache-2.0
"""A failure belongs to an account: whatever its spelling, the section, and the other providers. slapd
counts too: it must never count more wrong passwords than AuthStatusThrottle allows."""
import base64
import hashlib
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.fake import BASE, Fake, hang
from lab.process import poll, reserve_port
from throttle.shared import LIMIT, RIGHT, WRONG, Account, spellings, wrong_binds

HERE = Path(__file__).parent
HASH = "{SHA}" + base64.b64encode(hashlib.sha1(b"Pw!file").digest()).decode()
EXPECTED = ("AH0161[78]", "AS0040")
numbers = itertools.count()


@pytest.fixture(scope="module", params=["event", "prefork"])
def site(request, start, slapd):
    httpd = start.make(HERE / "site.conf", mpm=request.param, defines={"LDAP": slapd.port, "NOBODY": reserve_port()}, cache="shmcb", listen=("HTTP", "OTHER"),
                       modules=("socache_shmcb", "remoteip"))
    (httpd.workdir / "users").write_text(f"filed:{HASH}\n")
    yield httpd.start()
    httpd.stop()


@pytest.fixture
def guess(site):
    """guess(path, name): the status of one more wrong password."""
    site.log.allow(*EXPECTED)

    def one(path, name, password=None, **options):
        return site.get(f"/in/{path}/", login=(name, password or f"{WRONG}{next(numbers)}"), **options).status
    return one


# -- spellings --------------------------------------------------------------------------------------------------------

def test_one_account_in_every_spelling(slapd, account, guess):
    names = spellings(account.uid)
    assert [guess("wiki", name) for name in names] == [401] * LIMIT + [429] * (len(names) - LIMIT)
    assert wrong_binds(slapd, account.dns[0]) == LIMIT and not account.is_locked()


def test_a_throttled_account_s_password_is_not_sent(slapd, account, guess):
    for _ in range(LIMIT):
        assert guess("wiki", account.uid) == 401
    mark = slapd.mark()
    for name in spellings(account.uid):
        assert guess("wiki", name, RIGHT) == 429
    assert slapd.operations(mark)["user_binds"] == 0


def test_one_account_where_the_user_binds_himself(slapd, account, guess):
    """AuthLDAPInitialBindAsUser: the account is the bind name, however a DN is written."""
    mark = slapd.mark()
    names = spellings(account.uid)
    assert [guess("self", name) for name in names] == [401] * LIMIT + [429] * (len(names) - LIMIT)
    assert slapd.operations(mark)["user_binds"] == LIMIT and not account.is_locked()
    assert guess("wiki", account.uid) == 429, "the DN is that of the entry"


def test_the_right_password_where_the_user_binds_himself(slapd, account, guess):
    """He is bound twice, before the search and as the entry found: that is one login."""
    assert [guess("self", account.uid) for _ in range(LIMIT - 1)] == [401] * (LIMIT - 1)
    assert guess("self", account.uid, RIGHT) == 200
    assert [guess("self", account.uid) for _ in range(LIMIT + 1)] == [401] * LIMIT + [429]


# -- sections, filters, attributes, virtual hosts ---------------------------------------------------------------------

def test_one_account_in_all_sections(slapd, account, guess):
    places = [("wiki", None), ("cloud", None), ("git", None), ("wiki", "OTHER"), ("self", None), ("list", None), ("off", None)]
    statuses = [guess(path, account.uid, port=port) for _ in range(4) for path, port in places]
    assert statuses.count(401) == LIMIT and set(statuses[LIMIT:]) == {429, 500}, "500: where AuthStatus is Off"
    assert wrong_binds(slapd, account.dns[0]) == LIMIT and not account.is_locked()


def test_the_right_password_over_several_servers(slapd, account, guess):
    """The first one does not answer."""
    for _ in range(3):
        assert [guess("list", account.uid) for _ in range(LIMIT - 1)] == [401] * (LIMIT - 1)
        assert guess("list", account.uid, RIGHT) == 200
    assert [guess("list", account.uid) for _ in range(LIMIT + 1)] == [401] * LIMIT + [429]
    assert guess("wiki", account.uid) == 429 and not account.is_locked()


# -- several providers ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("off", ["", "off-"], ids=["On", "Off"])
def test_right_passwords_of_the_second_provider_are_no_failures(slapd, guess, off):
    """Eight partners from one address, once each; the first provider knows none of them."""
    assert [guess(f"{off}chain-client", Account(slapd, "o=partners").uid, RIGHT) for _ in range(8)] == [200] * 8
    one = Account(slapd, "o=partners")
    for number in range(10):
        one.set_password(f"Pw!new{number}", "o=partners")  # so that nothing is cached
        assert guess(f"{off}chain", one.uid, f"Pw!new{number}") == 200


@pytest.mark.parametrize("off", ["", "off-"], ids=["On", "Off"])
def test_right_passwords_of_a_file_are_no_failures(guess, off):
    assert [guess(f"{off}chain-file", "filed", "Pw!file") for _ in range(10)] == [200] * 10


@pytest.mark.parametrize("off, throttled", [("", 429), ("off-", 500)], ids=["On", "Off"])
def test_a_login_is_counted_once(slapd, guess, off, throttled):
    """Both providers refuse: one failure of the client."""
    address = [("X-Forwarded-For", "198.51.100.8" if off else "198.51.100.7")]
    names = [Account(slapd, "o=staff", "o=partners").uid for _ in range(5)]
    assert [guess(f"{off}chain-client", name, headers=address) for name in names] == [401] * 3 + [throttled] * 2


@pytest.mark.parametrize("off", ["", "off-"], ids=["On", "Off"])
def test_the_second_provider_s_success_ends_the_first_one_s_count(slapd, guess, off):
    """A typo, then the right one, again and again; the account has another password in the first directory."""
    both = Account(slapd, "o=staff", "o=partners", passwords=("Pw!another", RIGHT))
    for number in range(6):
        assert guess(f"{off}chain", both.uid) == 401
        both.slapd.client("cn=root,o=staff").modify_s(both.dns[0], [(2, "userPassword", [f"Pw!another{number}".encode()])])
        assert guess(f"{off}chain", both.uid, RIGHT) == 200


# -- success ----------------------------------------------------------------------------------------------------------

def test_a_cached_success_ends_the_count(slapd, account, guess):
    assert guess("wiki", account.uid, RIGHT) == 200
    for _ in range(LIMIT):
        assert [guess("wiki", account.uid) for _ in range(LIMIT - 1)] == [401] * (LIMIT - 1)
        assert guess("wiki", account.uid, RIGHT) == 200
    assert not account.is_locked(), "slapd's count has ended as well"
    assert [guess("wiki", account.uid) for _ in range(LIMIT + 1)] == [401] * LIMIT + [429]


@pytest.mark.parametrize("processes", ["event", "prefork"])
def test_a_success_that_is_found_by_its_header_ends_the_count(start, slapd, account, processes):
    """Without a log of level debug the header of a cached login is found before the provider is asked."""
    httpd = start('AuthStatusThrottle 4 1h\nUse Login /in "ldap://127.0.0.1:${LDAP}" o=staff', mpm=processes, defines={"LDAP": slapd.port},
                  cache="shmcb", modules=("socache_shmcb",))
    httpd.log.allow(*EXPECTED)

    def statuses(passwords):
        return [httpd.get("/in/", login=(account.uid, password)).status for password in passwords]
    assert statuses([RIGHT] * 30) == [200] * 30
    for _ in range(LIMIT):
        assert statuses(f"{WRONG}{next(numbers)}" for _ in range(LIMIT - 1)) == [401] * (LIMIT - 1)
        assert statuses([RIGHT] * 2) == [200] * 2
    assert not account.is_locked(), "slapd's count has ended as well"
    assert statuses(f"{WRONG}{next(numbers)}" for _ in range(LIMIT + 1)) == [401] * LIMIT + [429]
    assert statuses([RIGHT]) == [200], "it is cached"
    httpd.stop()


def test_nothing_is_confirmed_where_nothing_is_counted(slapd, account, guess):
    assert guess("wiki", account.uid, RIGHT) == 200
    mark = slapd.mark()
    assert [guess("wiki", account.uid, RIGHT) for _ in range(10)] == [200] * 10
    assert slapd.operations(mark)["user_binds"] == 0


def test_a_cached_password_that_has_changed_is_not_sent_again_and_again(slapd, account, guess):
    assert guess("wiki", account.uid, RIGHT) == 200
    account.set_password("Pw!changed", "o=staff")
    assert guess("wiki", account.uid) == 401
    mark = slapd.mark()
    assert [guess("wiki", account.uid, RIGHT) for _ in range(6)] == [401] * 6
    assert slapd.operations(mark)["user_binds"] == 1
    assert guess("wiki", account.uid, "Pw!changed") == 200


def test_right_passwords_all_at_once(slapd, guess):
    """The cached answer of a page's user has just expired, and all parts of the page are requested at once."""
    for _ in range(5):
        one = Account(slapd, "o=staff")
        assert [guess("wiki", one.uid) for _ in range(LIMIT - 1)] == [401] * (LIMIT - 1)
        with ThreadPoolExecutor(12) as threads:
            statuses = list(threads.map(lambda name: guess("wiki", name, RIGHT), [one.uid, one.uid.upper(), f" {one.uid}"] * 4))
        assert statuses == [200] * 12


# -- floods, restarts -------------------------------------------------------------------------------------------------

def test_a_flood_of_invented_names_frees_nobody(account, guess):
    assert [guess("wiki", account.uid) for _ in range(LIMIT + 1)] == [401] * LIMIT + [429]
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda number: guess("wiki", f"invented{number}"), range(400))) == {401}
        assert set(threads.map(lambda number: guess("self", f"invented{number}"), range(200))) == {401}
    assert guess("wiki", account.uid) == 429 and guess("self", account.uid) == 429


def test_a_graceful_restart_keeps_the_counts(site, slapd, account, guess):
    statuses = []
    for _ in range(LIMIT + 2):
        statuses.append(guess("wiki", account.uid))
        site.reload()
    assert statuses == [401] * LIMIT + [429] * 2 and wrong_binds(slapd, account.dns[0]) == LIMIT


def test_all_processes_at_once(site, slapd, account, guess):
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda _: guess("wiki", account.uid), range(48)))
    assert statuses.count(401) == LIMIT and statuses.count(429) == 48 - LIMIT
    assert wrong_binds(slapd, account.dns[0]) == LIMIT


# -- clients ----------------------------------------------------------------------------------------------------------

def test_a_name_without_an_entry_counts_for_its_client_alone(guess):
    def of(address):
        return guess("client", "nobody-at-all", headers=[("X-Forwarded-For", address)])
    assert [guess("wiki", "nobody-at-all") for _ in range(LIMIT + 2)] == [401] * (LIMIT + 2)
    assert [of("203.0.113.9") for _ in range(4)] == [401] * 3 + [429]
    assert of("203.0.113.10") == 401


def test_a_client_is_its_64(slapd, guess):
    def of(address):
        return guess("client", "nobody-at-all", headers=[("X-Forwarded-For", address)])
    assert [of(f"2001:db8:1:2::{number:x}") for number in range(1, 5)] == [401] * 3 + [429]
    assert of("2001:db8:1:3::1") == 401


# -- without a cache, and answers that do not come --------------------------------------------------------------------

def test_without_a_cache(start, slapd):
    httpd = start(HERE / "site.conf", defines={"LDAP": slapd.port, "NOBODY": reserve_port()}, cache="Off", listen=("HTTP", "OTHER"), modules=("remoteip",))
    httpd.log.allow(*EXPECTED)
    one = Account(slapd, "o=staff")
    statuses = [httpd.get("/in/wiki/", login=(name, WRONG)).status for name in spellings(one.uid)]
    assert statuses[:LIMIT + 1] == [401] * LIMIT + [429] and set(statuses[LIMIT:]) == {429}
    assert wrong_binds(slapd, one.dns[0]) == LIMIT
    httpd.stop()


def test_a_bind_without_an_answer_in_time_stays_counted(start):
    """The directory may have counted it; three guesses reach it. One that was too late to be sent counts for nothing."""
    fake = Fake({"user-bind": hang})
    httpd = start(f'AuthStatusDeadline 1s\nAuthStatusBreaker 1000 1s\nAuthStatusThrottle 3 1h\nUse Login /in "ldap://127.0.0.1:{fake.port}" {BASE}',
                  cache="shmcb", modules=("socache_shmcb",))
    httpd.log.allow("AS005.", "AS0040", "AS0094")
    statuses = []

    def is_throttled():
        statuses.append(httpd.get("/in/", login=("ann", f"{WRONG}{next(numbers)}")).status)
        return statuses[-1] != 503
    poll(is_throttled, 60, "the throttle")
    assert len(statuses) > 3
    assert statuses[-1] == 429 and [httpd.get("/in/", login=("ann", f"{WRONG}{next(numbers)}")).status for _ in range(3)] == [429] * 3
    poll(lambda: fake.count("user-bind") == 3, 10, "three binds")
    httpd.stop()
    fake.stop()


def old_spellings(name):
    """How else a DN's value may be written: escaped, in hexadecimal, and quoted (RFC 2253 4)."""
    half = len(name) // 2
    yield from (f"\\{ord(name[0]):02x}{name[1:]}", f"{name[:-1]}\\{ord(name[-1]):02X}", f"#0c{len(name):02x}{name.encode().hex()}")
    yield from (f'"{name}"', f' "{name}" ', f'"{name.upper()}"', f'"{name[:half]}\\{ord(name[half]):02x}{name[half + 1:]}"', f'"{name} "',
                f'" {name}"', f'"{name}\u00a0"', f"{name},", f"{name}+uid={name}")


def with_options(dn):
    """OpenLDAP reads a DN whose types have options."""
    yield from (dn.replace("ou=", f"ou;{option}=") for option in ("lang-en", "x-1", "x-2;x-3", "binary"))
    yield dn.replace("uid=", "UID;x-4 =").replace(",o=", ",O;x-5=")


def test_one_account_where_its_dn_has_options(slapd, account, guess):
    names = [name for name in with_options(account.dns[0]) for _ in range(2)]
    assert [guess("typed", name) for name in names] == [401] * LIMIT + [429] * (len(names) - LIMIT)
    assert wrong_binds(slapd, account.dns[0]) == LIMIT and not account.is_locked()


@pytest.mark.parametrize("special, others", [(",", "\ufe50\uff0c"), ("+", "\u207a\u208a\ufb29\ufe62\uff0b"), ("#", "\ufe5f\uff03"),
                                             ("=", "\u207c\ufe66\uff1d"), ("\\", "\ufe68\uff3c")])
def test_one_account_where_its_name_has_a_special_character(slapd, guess, special, others):
    """For slapd a wide comma is a comma (RFC 4518 2.3), which a DN has escaped."""
    one = Account(slapd, "o=staff", special=special)
    names = [one.uid.replace(special, other) for other in (f"\\{special}", f"\\{ord(special):02x}", *others) for _ in range(3)]
    statuses = [guess("self", name) for name in names]
    assert statuses == [401] * LIMIT + [429] * (len(names) - LIMIT)
    assert wrong_binds(slapd, one.dns[0]) <= LIMIT and not one.is_locked()


def test_a_name_that_only_a_directory_might_read_as_a_dn_is_not_sent(slapd, account, guess):
    """Each spelling would be an account of its own."""
    mark = slapd.mark()
    for name in (f"<{account.dns[0]}", f"{account.dns[0]},", f"0.9.2342.19200300.100.1.{{}}={account.uid}", f"1.2.3.4={account.dns[0]}",
                 f"{account.dns[0]}{'+cn=x' * 20}", f"uid={account.uid}"):
        assert guess("typed", name) == 401, name
    assert slapd.operations(mark)["user_binds"] == 1, "the last one is a DN, and nobody's"


def test_one_account_where_its_dn_is_written_in_old_ways(slapd, account, guess):
    for name in old_spellings(account.uid):
        assert guess("self", name) in (401, 429), name
        assert guess("self", name) in (401, 429), name
    assert wrong_binds(slapd, account.dns[0]) <= LIMIT and not account.is_locked()
