# SPDX-License-Identifier: Apache-2.0
"""Notices at start-up: what mod_ldap and mod_authnz_ldap read and has no effect here is taken, and said once."""
import pytest

WITHOUT_EFFECT = {
    "AuthLDAPCharsetConfig": "charset.conv", "LDAPSharedCacheSize": "500000", "LDAPSharedCacheFile": "run/cache",
    "LDAPCacheEntries": "1024", "LDAPCacheTTL": "600", "LDAPOpCacheEntries": "1024", "LDAPOpCacheTTL": "600",
    "LDAPRetries": "3", "LDAPRetryDelay": "0", "LDAPLibraryDebug": "0"}


def notices(httpd, tag):
    httpd.get("/")  # it listens before its modules have seen the configuration
    return [line.text for line in httpd.log.lines(0) if line.level == "notice" and f"{tag}: " in line.text]


@pytest.mark.parametrize("ldap", [False, True], ids=["alone", "beside-mod_ldap"])
def test_without_effect(start, ldap):
    conf = "".join(f"{name} {value}\n" for name, value in WITHOUT_EFFECT.items()) + "LDAPRetries 2\n"
    httpd = start.make(conf, ldap=ldap)
    (httpd.workdir / "charset.conv").write_text("utf-8 UTF-8\nen ISO-8859-1\n")
    httpd.start()
    said = notices(httpd, "AS0175")
    assert sorted(name for name in WITHOUT_EFFECT for line in said if f": {name} (" in line) == sorted(WITHOUT_EFFECT)
    assert all("httpd.conf:" in line for line in said)
    httpd.reload()
    assert len(notices(httpd, "AS0175")) == 2 * len(WITHOUT_EFFECT), "once for each reading of the configuration"


@pytest.mark.parametrize("timeout, deadline, said", [(60, "5s", True), (5, "5s", False), (3, "5s", False), (60, "2min", False)])
def test_a_timeout_that_ends_nothing(start, timeout, deadline, said):
    httpd = start(f"LDAPTimeout {timeout}\n<Location /x>\nAuthStatusDeadline {deadline}\nAuthLDAPURL ldap://127.0.0.1/o=x?uid\n</Location>")
    assert len(notices(httpd, "AS0176")) == said
    assert not said or "LDAPTimeout 60 s" in notices(httpd, "AS0176")[0]


@pytest.mark.parametrize("conf, said", [("AuthStatusCacheTime 60s stale=1h", True), ("AuthStatusCacheTime 60s 30s", False),
                                        ("AuthStatusCacheTime 60s stale=0", False),
                                        ("AuthStatusCacheTime 60s stale=1h\nAuthStatusThrottle 4 5min", False),
                                        ("AuthStatusCacheTime 60s stale=1h\n<Location /x>\nAuthStatusThrottle 4 5min\n</Location>", False)])
def test_stale_without_a_throttle(start, conf, said):
    assert len(notices(start(conf), "AS0221")) == said


def test_a_cache_of_mod_ldaps_says_what_there_is_in_place_of_it(start):
    said = notices(start("LDAPCacheTTL 600"), "AS0175")
    assert len(said) == 1 and "AuthStatusCacheTime says how long answers are cached, and its stale=" in said[0]


def test_nothing_is_said_of_what_is_not_there(start):
    httpd = start("<Location /x>\nAuthLDAPURL ldap://127.0.0.1/o=x?uid\n</Location>")
    assert notices(httpd, "AS0175") + notices(httpd, "AS0176") + notices(httpd, "AS0221") == []
