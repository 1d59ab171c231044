# SPDX-License-Identifier: Apache-2.0
"""A name of the configuration that does not resolve while a .htaccess file names a server: the login there ends in time, and
its bind, which is not sent, counts for no account."""
from pathlib import Path

import pytest

from lab.httpd import MPMS
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT = "Pw!right"
PLACE = """<Directory "${DOCS}/his">
    AllowOverride AuthConfig
    AuthType Basic
    AuthName x
    AuthStatus On
    AuthStatusDeadline 2s
    Require valid-user
</Directory>
"""
HIS = """AuthBasicProvider authstatus
AuthLDAPURL "ldap://127.0.0.1:{port}/o=faults?uid"
AuthLDAPBindDN "cn=service,o=faults"
AuthLDAPBindPassword "Pw!service"
"""


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=faults", HERE / "people.ldif", ('rootdn "cn=root,o=faults"', "rootpw Pw!service")))


# prefork starts children meanwhile, and libldap resolves the machine's own name in each.
@pytest.mark.parametrize("model", [model for model in MPMS if model != "prefork"])
def test_a_bind_that_is_not_sent_does_not_count(start, slapd, library, faults, model):
    conf = f'AuthStatusThrottle 3 1h\nUse Login /in "ldap://localhost:{slapd.port}" o=faults\n{PLACE}'
    httpd = start(conf, mpm=model, preload=library, environment={"FAULTS_FILE": str(faults.path)},
                  files={"his/x.html": "his\n", "his/.htaccess": HIS.format(port=slapd.port)})
    httpd.log.allow("AS00(12|4[0-9]|51)", "AH0161[78]")
    assert httpd.get("/in/", login=("bob", RIGHT)).status == 200, "libldap knows the machine's own name"
    faults.set(resolver=-60000)
    mark = slapd.mark()
    assert [httpd.get("/his/x.html", login=("ann", RIGHT)).status for _ in range(4)] == [503] * 4
    assert not [line for line in slapd.lines(mark) if "uid=ann" in line and " BIND " in line]
    faults.clear()
    assert httpd.get("/in/", login=("ann", RIGHT)).status == 200
    httpd.stop()
    assert "exit signal" not in "".join(line.text for line in httpd.log.lines(0))
