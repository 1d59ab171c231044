# SPDX-License-Identifier: Apache-2.0
"""The core rows with other people's modules at work in the same httpd: those that look at logins, or at everything."""
from pathlib import Path

import pytest

from lab.httpd import has_module
from lab.process import reserve_port
from lab.slapd import Database
from lab.verify import verify

from test_everywhere import ROWS, SITE

HERE = Path(__file__).parent
# name: (modules, configuration)
BESIDE = {
    "mod_authn_socache": (("authn_socache", "socache_shmcb"), """
<Location /in/>
    AuthBasicProvider socache authstatus
    AuthnCacheProvideFor authstatus
</Location>"""),
    "mod_session": (("session", "session_cookie", "session_crypto"), """
Session On
SessionMaxAge 1000
SessionCookieName session path=/
SessionCryptoPassphrase secret"""),
    "mod_security": (("unique_id", "security2"), """
SecRuleEngine On
SecRequestBodyAccess On
SecDataDir "${WORKDIR}/run"
SecRule ARGS:word "@streq evil" "id:1,phase:1,deny,status:403,nolog" """),
    "mod_md": (("socache_shmcb", "ssl", "md"), """
SSLSessionCache "shmcb:${WORKDIR}/run/tls(512000)"
MDStoreDir "${WORKDIR}/run/md"
MDBaseServer on"""),
}


@pytest.fixture(scope="module")
def slapd(start_slapd):
    return start_slapd(Database("o=core", HERE / "people.ldif", ("ppolicy_use_lockout",)))


@pytest.fixture(scope="module", params=BESIDE)
def site(request, start, slapd):
    modules, conf = BESIDE[request.param]
    missing = [name for name in modules if not has_module(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    httpd = start(SITE + conf, modules=modules, ldap=True, defines={"LDAP": slapd.port, "NOBODY": reserve_port()})
    httpd.beside = request.param
    return httpd


@pytest.mark.parametrize("path, login, outcome, status", ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS])
def test_core(site, path, login, outcome, status):
    site.log.allow("AH01631")
    for _ in range(2):
        verify(site, site.get(f"/in/{path}", login=login), outcome, status)


def test_it_is_at_work(site):
    """Else the rows above would show nothing."""
    answer = site.get("/in/proven?word=evil", login=("ann", "Pw!right"))
    if site.beside == "mod_security":
        assert answer.status == 403
    elif site.beside == "mod_session":
        assert answer.header("Set-Cookie").startswith("session=")
    else:
        assert answer.status == 200
