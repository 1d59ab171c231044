# SPDX-License-Identifier: Apache-2.0
"""Logins by mod_auth_form with several providers: each is counted once, when it has ended, and a success by any of them is
none. The form's answer is a redirect, whichever it was."""
import base64
import hashlib
from urllib.parse import urlencode

import pytest

from lab.httpd import has_module
from throttle.shared import LIMIT, RIGHT, Account

HASH = "{SHA}" + base64.b64encode(hashlib.sha1(RIGHT.encode()).digest()).decode()
MODULES = ("socache_shmcb", "auth_form", "request", "session", "session_cookie", "session_crypto")
CRYPTO = "SessionCryptoPassphrase secret\n" if has_module("session_crypto") else ""
ALIAS = """<AuthnProviderAlias authstatus {name}>
    Use Directory "ldap://127.0.0.1:${{LDAP}}" o={name}
    AuthLDAPBindAuthoritative Off
</AuthnProviderAlias>
"""
FORM = """<Location {path}>
    AuthType form
    AuthName "the form"
    AuthFormProvider {providers}
    AuthUserFile "${{WORKDIR}}/users"
    {session}AuthFormLoginRequiredLocation /login.html
    AuthStatus On
    AuthStatusThrottle {throttle}
    {more}
</Location>
"""
SESSION = f"Session On\n    SessionCookieName session path=/\n    {CRYPTO}"
HANDLER = "SetHandler form-login-handler\n    Require all granted\n    "
TO = "AuthFormLoginSuccessLocation /welcome"
WHERE_THE_CLIENT_WISHES = {"wish-inline": "Require valid-user", "wish-handler": HANDLER}
PROVIDERS = {"file": "staff file", "partners": "staff partners"}


@pytest.fixture(scope="module")
def site(start, slapd):
    conf = "".join(ALIAS.format(name=name) for name in ("staff", "partners"))
    for name, providers in PROVIDERS.items():
        for path, more in (("handler", HANDLER + TO), ("handler-200", HANDLER), ("inline", "Require valid-user"), ("inline-to", f"Require valid-user\n    {TO}")):
            for kind, throttle in (("user", f"{LIMIT} 1h"), ("client", "3 1h Client")):
                for stay, session in (("", SESSION), ("-once", "")):
                    conf += FORM.format(path=f"/in/{path}-{name}-{kind}{stay}", providers=providers, throttle=throttle, more=more, session=session)
    conf += "".join(FORM.format(path=f"/in/{path}", providers="staff", throttle=f"{LIMIT} 1h", session="",
                                more=f"{more}\n    AuthFormAuthoritative Off") for path, more in WHERE_THE_CLIENT_WISHES.items())
    conf += f'AuthStatusThrottle {LIMIT} 1h\nUse Login /in/basic "ldap://127.0.0.1:${{LDAP}}" o=staff\n'
    httpd = start.make(conf, defines={"LDAP": slapd.port}, cache="Off", modules=MODULES)
    httpd.start()
    return httpd


def post(site, path, user, password, **more):
    return site.get(path, method="POST", body=urlencode({"httpd_username": user, "httpd_password": password, **more}),
                    headers=[("Content-Type", "application/x-www-form-urlencoded")])


def account_of(site, slapd, name):
    """Known to both providers; the first one has another password."""
    if name == "partners":
        return Account(slapd, "o=staff", "o=partners", passwords=("Pw!another", RIGHT))
    one = Account(slapd, "o=staff", passwords=("Pw!another",))
    with open(site.workdir / "users", "a") as users:
        users.write(f"{one.uid}:{HASH}\n")
    return one


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("path, status, stay", [
    ("handler", 302, ""), ("handler-200", 200, ""), ("inline", 200, ""), ("inline-to", 302, ""),
    ("handler", 302, "-once"), ("handler-200", 200, "-once"), ("inline", 200, "-once")])
def test_a_success_by_the_second_provider_is_no_failure(site, slapd, path, status, name, stay):
    """Without a session, too: then the login handler's redirect leads elsewhere than that of a failure."""
    site.log.allow("AH0180[78]", "AS0040", "AH0161[78]")
    one = account_of(site, slapd, name)
    for _ in range(LIMIT + 1):
        answer = post(site, f"/in/{path}-{name}-user{stay}", one.uid, RIGHT)
        assert answer.status == status and site.access(answer).outcome == "granted"
        assert answer.header("Location") in (None, "/welcome") or answer.header("Location").endswith("/welcome")
    assert site.get("/in/basic", login=(one.uid, "Pw!another")).status == 200, "not throttled"


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("path", ["handler", "inline", "inline-to"])
def test_a_success_by_the_second_provider_ends_the_count(site, slapd, path, name):
    site.log.allow("AH0180[78]", "AS0040", "AH0161[78]")
    one = account_of(site, slapd, name)
    for number in range(3):
        one.set_password(f"Pw!another{number}", "o=staff")  # so that slapd's own count ends
        for _ in range(LIMIT - 1):
            failed = post(site, f"/in/{path}-{name}-user", one.uid, "Pw!wrong")
            assert failed.header("Location").endswith("/login.html") and site.access(failed).outcome == "wrong-password"
        assert post(site, f"/in/{path}-{name}-user", one.uid, RIGHT).status in (200, 302)


@pytest.mark.parametrize("stay", ["", "-once"])
@pytest.mark.parametrize("path", ["handler", "inline"])
def test_a_failure_is_counted_once(site, slapd, path, stay):
    """Both refuse: one failure of each account, one of the client. Names of a file alone are none."""
    site.log.allow("AH0180[78]", "AS0040")
    with open(site.workdir / "users", "a") as users:
        users.write(f"filed-{path}{stay}:{HASH}\n")
    one = account_of(site, slapd, "partners")
    assert all(post(site, f"/in/{path}-file-client{stay}", f"filed-{path}{stay}", RIGHT).status in (200, 302) for _ in range(6))
    statuses = [post(site, f"/in/{path}-partners-user{stay}", one.uid, "Pw!wrong").status for _ in range(LIMIT + 1)]
    assert statuses == [302] * LIMIT + [429]


@pytest.mark.parametrize("path", WHERE_THE_CLIENT_WISHES)
def test_a_redirect_that_the_client_asks_for_ends_no_count(site, slapd, path):
    """A form in the page leads where the client wishes, whatever the login was, where AuthFormAuthoritative is Off."""
    site.log.allow("AH0180[78]", "AS0040", "AH0161[78]")
    one = Account(slapd, "o=staff", passwords=("Pw!another",))
    answers = [post(site, f"/in/{path}", one.uid, f"Pw!wrong{number}", httpd_location="/elsewhere") for number in range(LIMIT + 2)]
    assert "granted" not in {site.access(answer).outcome for answer in answers}
    assert [site.access(answer).outcome for answer in answers[LIMIT:]] == ["throttled"] * 2
    assert site.get("/in/basic", login=(one.uid, "Pw!another")).status == 429, "the count goes on"
