# SPDX-License-Identifier: Apache-2.0
"""More directories than a process keeps: the one that was not wanted for longest makes space, and none is mixed up. Each has
the service account in a spelling of its own."""
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.slapd import Database

HERE = Path(__file__).parent
KEPT = 1000
RIGHT, WRONG = "Pw!right", "Pw!wrong"
SECTION = """<Location "/in/{0}/">
    AuthType Basic
    AuthName "the lab"
    AuthBasicProvider authstatus
    AuthLDAPURL "ldap://127.0.0.1:{1}/o=refer?uid?sub?(!(cn={0}))"
    AuthLDAPBindDN "cn=service,{2}o=refer"
    AuthLDAPBindPassword "Pw!service"
    AuthStatusUniformTiming Off
    AuthStatus On
    Require valid-user
</Location>
"""


def test_more_than_are_kept(start, start_slapd):
    slapd = start_slapd(Database("o=refer", HERE / "referrals-here.ldif"))
    count = KEPT + 60
    httpd = start("".join(SECTION.format(number, slapd.port, " " * number) for number in range(count)))
    httpd.log.allow("AH0161[78]")

    def fetch(number):
        return [httpd.get(f"/in/{number}/", login=("ann", password)).status for password in (RIGHT, WRONG)]
    with ThreadPoolExecutor(8) as threads:
        assert set(map(tuple, threads.map(fetch, range(count)))) == {(200, 401)}
        assert set(map(tuple, threads.map(fetch, range(60)))) == {(200, 401)}, "those that had made space"
