# SPDX-License-Identifier: Apache-2.0
"""A browser at a place with challenges for Kerberos and for a password: it finds the scheme that it knows."""
from pathlib import Path

import pytest

from lab.kerberos import HOST, Realm

CONFIGURATION = Path(__file__).parent.parent / "neighbours/kerberos.conf"


@pytest.fixture(scope="module")
def kerberos(chromium, start, workdirs, needs_module):
    needs_module("auth_gssapi")
    realm = Realm(workdirs.new("kerberos"), {"ann": "Pw!ann"}).start()
    yield start(CONFIGURATION, modules=("auth_gssapi",), defines={"KEYTAB": realm.keytab},
                environment={"KRB5_CONFIG": str(realm.workdir / "krb5.conf")})
    realm.stop()


def test_a_password_is_asked_for_beside_kerberos(kerberos, visit):
    kerberos.log.allow("gss_", "GSS")
    page = visit(("ann", "Pw!ann"))
    assert page.go(f"http://{HOST}:{kerberos.port}/in/kerberos").status == 200
    assert [challenge["scheme"].lower() for challenge in page.queried] == ["basic"]


def test_quiet_asks_for_nothing(kerberos, visit):
    page = visit(("ann", "Pw!ann"))
    assert page.go(f"http://{HOST}:{kerberos.port}/in/quiet").status == 401 and page.queried == []
