# SPDX-License-Identifier: Apache-2.0
"""Before a backend, as a forward proxy, and over HTTP/2."""
from pathlib import Path

import pytest

from lab import client
from lab.process import reserve_port
from lab.slapd import Database
from lab.verify import verify

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"

ROWS = [
    ("ann", RIGHT, "granted", 200),
    ("ann", WRONG, "wrong-password", 401),
    ("nobody", RIGHT, "unknown-user", 401),
    ("expired", RIGHT, "password-expired", 403),
    ("locked", RIGHT, "account-locked", 403),
]


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=fronts", HERE / "people.ldif", ("ppolicy_use_lockout",)))


@pytest.fixture(scope="module")
def site(start, slapd, mpm):
    modules = ["proxy", "proxy_http", "proxy_connect"] + (["http2"] if mpm != "prefork" else [])
    return start(HERE / "site.conf", modules=modules, listen=("HTTP", "FORWARD", "BACKEND"), threads=24,
                 defines={"LDAP": slapd.port, "NOBODY": reserve_port()})


# -- reverse proxy ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("user, password, outcome, status", ROWS)
def test_reverse_proxy(site, user, password, outcome, status):
    answer = site.get("/app/page", login=(user, password))
    # The backend of this test is the same httpd: its line in the access log carries the same row.
    site.log.allow("AH0161[78]", "AS002[03]")
    assert answer.status == status
    assert len(answer.all("WWW-Authenticate")) == (1 if status == 401 else 0)
    saw = answer.header("X-Saw")
    assert saw == (f"user={user} outcome={outcome} authorization=" if status == 200 else None)


@pytest.mark.parametrize("user, saw", [("crlf", "Ann  X-Admin: yes"), ("lf", "Ann X-Admin: yes"), ("tab", "Ann B")])
def test_values_of_an_entry_are_no_header_fields(site, user, saw):
    """A user who may write his own entry may write ends of lines."""
    answer = site.get("/values/page", login=(user, RIGHT))
    assert answer.status == 200 and not answer.header("X-Saw-Admin")
    assert answer.header("X-Saw").startswith(f"user={saw} ")


@pytest.mark.parametrize("user", ["crlf", "lf", "tab"])
def test_no_name_has_control_characters(site, user):
    """AuthLDAPRemoteUserAttribute, as with names that are typed."""
    site.log.expect("AS0063")
    answer = site.get("/named/page", login=(user, RIGHT))
    assert answer.status == 500 and answer.header("X-Saw") is None


def test_reverse_proxy_without_credentials(site):
    answer = site.get("/app/page")
    verify(site, answer, "no-credentials", 401)
    assert answer.header("X-Saw") is None


def test_reverse_proxy_in_an_outage(site):
    site.log.expect("AS0050")
    answer = site.get("/gone/page", login=("ann", RIGHT))
    verify(site, answer, "directory-down", 503)
    assert answer.header("X-Saw") is None


# -- forward proxy ----------------------------------------------------------------------------------------------------

def forward(site, login, path="/app/page", method="GET", name="Proxy-Authorization"):
    backend = site.ports["BACKEND"]
    target = f"127.0.0.1:{backend}" if method == "CONNECT" else f"http://127.0.0.1:{backend}{path}"
    return site.get(target, port="FORWARD", method=method, login=login, authorization_name=name,
                    host=f"127.0.0.1:{backend}")


@pytest.mark.parametrize("user, password, outcome, status", ROWS)
def test_forward_proxy(site, user, password, outcome, status):
    answer = forward(site, (user, password))
    if status == 200:
        assert answer.status == 200 and answer.body == b"the page\n"
        assert answer.header("X-Saw").endswith("authorization="), "the proxy's credentials are not for the backend"
    else:
        verify(site, answer, outcome, {401: 407}.get(status, status), proxy=True)
        assert answer.header("X-Saw") is None


def test_forward_proxy_without_credentials(site):
    verify(site, forward(site, None), "no-credentials", 407, proxy=True)


def test_forward_proxy_takes_no_authorization_of_the_backends(site):
    verify(site, forward(site, ("ann", RIGHT), name="Authorization"), "no-credentials", 407, proxy=True)


def test_forward_proxy_malformed(site):
    answer = site.get(f"http://127.0.0.1:{site.ports['BACKEND']}/app", port="FORWARD", authorization=b"Basic !!",
                      authorization_name="Proxy-Authorization")
    verify(site, answer, "malformed-credentials", 407, proxy=True)


def test_forward_proxy_not_authorized(site):
    site.log.expect("AH01631")
    verify(site, forward(site, ("ann", RIGHT), path="/app/forbidden"), "not-authorized", 403, proxy=True)


@pytest.mark.parametrize("login, outcome, status", [(None, "no-credentials", 407),
                                                    (("ann", WRONG), "wrong-password", 407),
                                                    (("expired", RIGHT), "password-expired", 403)])
def test_forward_proxy_connect(site, login, outcome, status):
    verify(site, forward(site, login, method="CONNECT"), outcome, status, proxy=True)


# -- HTTP/2 -----------------------------------------------------------------------------------------------------------

@pytest.fixture
def http2(mpm, needs_module):
    needs_module("http2")
    if mpm == "prefork":
        pytest.skip("mod_http2 does not serve under prefork")


@pytest.mark.parametrize("user, password, outcome, status", ROWS)
def test_http2(site, http2, user, password, outcome, status):
    answer = client.get_h2(site.port, "/in/page", login=(user, password))
    assert answer.version == "HTTP/2"
    if outcome == "account-locked":
        status = 401  # unproven
    verify(site, answer, outcome, status)


def test_http2_without_credentials(site, http2):
    verify(site, client.get_h2(site.port, "/in/page"), "no-credentials", 401)


def test_http2_in_an_outage(site, http2):
    site.log.expect("AS0050")
    verify(site, client.get_h2(site.port, "/gone/page", login=("ann", RIGHT)), "directory-down", 503)


def test_http2_equal_to_a_wrong_password(site, http2):
    site.log.allow("AH0161[78]", "AS0020")
    wrong, *others = [client.get_h2(site.port, "/in/page", login=login) for login in
                      (("ann", WRONG), ("nobody", RIGHT), ("locked", RIGHT), ("locked", WRONG))]
    for other in others:
        assert other.comparable() == wrong.comparable()
