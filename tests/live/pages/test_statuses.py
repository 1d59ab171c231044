# SPDX-License-Identifier: Apache-2.0
"""Statuses that may be cached without being told so are not; and the title says what is the matter with whom."""
import pytest

from lab.fake import BASE, PASSWORD, SERVICE, SERVICE_PASSWORD, Fake

LOGIN = """<Location /in>
AuthType Basic
AuthName "the lab"
AuthBasicProvider authstatus
AuthLDAPURL "ldap://127.0.0.1:{port}/{base}?uid"
AuthLDAPBindDN "{service}"
AuthLDAPBindPassword "{password}"
AuthStatus On
Require valid-user
</Location>
"""
STATUSES = (401, 403, 404, 410, 429, 451, 500, 502, 503)


@pytest.fixture(scope="module")
def site(start):
    fake = Fake()
    conf = LOGIN.format(port=fake.port, base=BASE, service=SERVICE, password=SERVICE_PASSWORD)
    for status in STATUSES:
        conf += f"<Location /in/mapped/{status}>\nRequire user boss\nAuthStatusMap not-authorized {status}\n</Location>\n"
    conf += "<Location /in/boss>\nRequire user boss\n</Location>\n<Location /in/wrong>\nAuthStatusMap wrong-password 451\n</Location>\n"
    yield start(conf)
    fake.stop()


@pytest.mark.parametrize("status", STATUSES)
def test_a_mapped_status_is_cached_nowhere(site, status):
    """RFC 9110 15.1: 404, 410 and 451 are cacheable unless it is said otherwise; 404 answers as a missing resource does."""
    site.log.allow("AH01631")
    answer = site.get(f"/in/mapped/{status}/x", login=("ann", PASSWORD))
    assert answer.status == status
    if status in (410, 451):
        assert answer.all("Cache-Control") == ["no-store"]
    if status in (401, 403, 503):
        assert not answer.all("Cache-Control")


def test_a_wrong_password_that_is_mapped_is_cached_nowhere(site):
    site.log.allow("AH0161[78]")
    answer = site.get("/in/wrong/x", login=("ann", "Pw!wrong"))
    assert (answer.status, answer.all("Cache-Control")) == (451, ["no-store"])


@pytest.mark.parametrize("path, login, title", [
    ("/in/x", None, "401 Please sign in"), ("/in/x", ("ann", "Pw!wrong"), "401 Please sign in"),
    ("/in/boss/x", ("ann", PASSWORD), "403 No access"),
])
def test_who_is_signed_in_is_not_told_that_he_is_not(site, path, login, title):
    site.log.allow("AH0161[78]", "AH01631")
    answer = site.get(path, login=login) if login else site.get(path)
    body = answer.body.decode()
    assert f"<title>{title}</title>" in body
    assert "Not signed in" not in body and ("sign in" in title.lower()) == (answer.status == 401)
