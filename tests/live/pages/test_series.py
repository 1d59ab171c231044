# SPDX-License-Identifier: Apache-2.0
"""The last hour and the last day on the report page: plots, tables, JSON; and that the page reloads itself."""
import json
import re

import pytest

from lab.fake import Fake
from lab.process import poll, reserve_port
from pages.watched import watched

RIGHT, WRONG = "Pw!right", "Pw!wrong"
CLASSES = ("granted", "unauthenticated", "refused", "forbidden", "throttled", "unavailable", "misconfigured")
SLOTS = {"hour": (60, 60), "day": (900, 96)}


def report(site):
    return json.loads(site.get("/report?json").body)


def summed(series, ring, name):
    return sum(value or 0 for value in series[ring]["classes"][name])


def test_json(site):
    found = report(site)
    assert set(found["series"]) == set(SLOTS)
    for ring, (step, slots) in SLOTS.items():
        series = found["series"][ring]
        assert series["step_seconds"] == step and series["begins"] % step == 0
        # The last slot is the one that goes on.
        assert 0 <= found["now"] - (series["begins"] + step * (slots - 1)) < step
        assert set(series["classes"]) == set(CLASSES)
        lists = [*series["classes"].values(), *series["counters"].values()]
        lists += [one for server in series["servers"].values() for one in server.values()]
        assert all(len(one) == slots for one in lists)
        assert set(series["servers"]) == {server["server"] for server in found["servers"]}


def test_counts_what_comes(site, slapd):
    site.log.allow("AH0161[78]", "AS00")
    before = report(site)["series"]
    for login in (("good", WRONG + "t"), ("good", RIGHT), ("good", RIGHT), ("must-change", RIGHT)):
        site.get("/in/body", login=login)
    site.get("/in/down", login=("good", RIGHT))
    now = report(site)["series"]
    more = {"granted": 2, "unauthenticated": 1, "refused": 1, "unavailable": 1}
    for ring in SLOTS:
        for name in CLASSES:
            assert summed(now, ring, name) - summed(before, ring, name) == more.get(name, 0), (ring, name)
        server = now[ring]["servers"][f"127.0.0.1:{slapd.port}"]
        assert sum(value or 0 for value in server["questions"]) >= 2
        latencies = [value for value in server["latency_seconds"] if value is not None]
        assert latencies and all(0 < value < 30 for value in latencies)
        counters = now[ring]["counters"]
        assert sum(value or 0 for value in counters["cache_hits"]) >= 1


def test_page(site):
    site.log.allow("AS00")
    site.get("/in/body", login=("good", RIGHT))
    body = site.get("/report").body.decode()
    assert re.search(r'<svg class="fine" role="img" aria-label="granted, last hour: \d+, at most \d+ in a minute"', body)
    assert re.search(r'aria-label="127.0.0.1:\d+, last day: [\d.]+ ms on average', body)
    assert re.search(r"answered from the cache, last hour: \d+ % on average", body)
    tables = re.findall(r"<details><summary id=\"table-\d\">The last (?:hour|day) in numbers</summary>", body)
    assert len(tables) == 2
    # A name in the page's first lines says at a glance how logins are.
    assert "<strong>Logins are well.</strong>" in body or "<strong>Logins are in trouble.</strong>" in body
    assert "cost the directory nothing" in body or "lines of Require ldap-* answered yes: 0" in body


def test_no_login_is_no_good_news(start):
    """What nobody tried is not known, and there is nothing to plot. A request without a password tries nothing."""
    site = start(watched("AuthLDAPURL ldap://127.0.0.1:9/dc=x?uid"))
    body = site.get("/report").body.decode()
    assert "There was no login in the last day." in body and "<table aria-labelledby=\"table-" not in body
    assert site.get("/in/").status == 401
    body = site.get("/report").body.decode()
    assert "<strong>No login in the last " in body and "Logins are well" not in body
    assert report(site)["series"]["hour"], "programs have the empty lists"


def test_a_stale_grant_is_no_good_news(start):
    """The cache lets people in while the directory is away: an outage, though nobody is refused and no breaker is open."""
    fake = Fake()
    site = start("AuthStatusBreaker 100 1min\nAuthStatusCacheTime 0 0 stale=10min\n" + watched(
        f'Use Directory "ldap://127.0.0.1:{fake.port}" dc=fake'), cache="shmcb", modules=("socache_shmcb",))
    site.log.allow("AS0050", "AS0220")
    assert site.get("/in/", login=("ann", RIGHT)).status == 200
    assert "<strong>Logins are well.</strong>" in site.get("/report").body.decode()
    fake.stop()
    for _ in range(2):
        assert site.get("/in/", login=("ann", RIGHT)).status == 200
    body = site.get("/report").body.decode()
    assert "<strong>Logins are in trouble.</strong>" in body and "Logins are well" not in body
    assert re.search(r"Logins granted by the cache while the directory was away, in the last [^:]+: 2 granted-stale\.", body)
    assert "circuit breaker open" not in body


def test_the_circuit_breaker_is_in_it(start):
    site = start("AuthStatusBreaker 2 1h\n" + watched(f'AuthLDAPURL "ldap://127.0.0.1:{reserve_port()}/dc=x?uid"'))
    site.log.allow("AS0050")
    for _ in range(4):
        assert site.get("/in/", login=("ann", RIGHT)).status == 503
    (server,) = report(site)["series"]["hour"]["servers"].values()
    assert server["circuit_open"][-1] is True or server["circuit_open"][-2] is True
    body = site.get("/report").body.decode()
    # In the next minute too, where that begins in the meantime.
    assert re.search("not queried; circuit breaker open in [12] of 60", body) and 'class="marks"' in body
    assert "<strong>Logins are in trouble.</strong>" in body


def test_the_parent_samples_while_nobody_looks(site):
    """Each reading takes one sample itself; between two of them there is one of another's."""
    seen = [report(site)["samples"]]

    def sampled_meanwhile():
        seen.append(report(site)["samples"])
        return seen[-1] - seen[-2] > 1
    poll(sampled_meanwhile, 60, "a sample by the parent")


def test_outlasts_a_graceful_restart(start, slapd):
    site = start(watched(f'Use Directory "ldap://127.0.0.1:{slapd.port}" o=pages'))
    site.log.allow("AH0161[78]", "AS00")
    for number in range(3):
        assert site.get("/in/", login=("good", f"{WRONG}{number}")).status == 401
    before = report(site)["series"]["day"]
    site.reload()
    assert site.get("/in/", login=("good", f"{WRONG}x")).status == 401
    after = poll(lambda: (found := report(site)["series"])["day"]["classes"] != before["classes"] and found, 10, "the login")
    assert summed(after, "day", "unauthenticated") == sum(value or 0 for value in before["classes"]["unauthenticated"]) + 1
    assert summed(after, "hour", "unauthenticated") == 4


@pytest.mark.parametrize("query, seconds", [
    ("refresh=30", "30"), ("refresh=5", "5"), ("refresh=1", "5"), ("refresh=0", "5"), ("refresh=3600", "3600"),
    ("refresh=99999999999999999999", "3600"), ("refresh=", None), ("refresh=-1", None), ("refresh=3x", None),
    ("refresh=3;url=https://elsewhere.test/", None), ("refresh", None), ("", None),
])
def test_refresh(site, query, seconds):
    answer = site.get(f"/report?{query}")
    assert answer.status == 200 and answer.header("Refresh") == seconds
    assert (b"Do not refresh any more" in answer.body) == (seconds is not None)
