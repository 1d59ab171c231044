# SPDX-License-Identifier: Apache-2.0
"""AuthStatusGroups MemberOf where each user sees his own memberOf and nobody else does: what users have seen by their own binds
(AuthLDAPInitialBindAsUser) says nothing of what the service account sees."""
import pytest

from lab.slapd import TOP, Database, Slapd
from test_rows import HASH, Text, all_of, group, person, section

RIGHT, BASE = "Pw!right", "o=own"
MEMBER_OF = {"ann": "banned", "bob": "other", "eve": None}
SCHEMA = ("attributetype ( 1.2.840.113556.1.2.102 NAME 'memberOf' EQUALITY distinguishedNameMatch "
          "SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )\nmodulepath")


def ldif():
    text = TOP + group("banned", f"uid=ann,{BASE}", base=BASE) + group("other", f"uid=bob,{BASE}", base=BASE)
    for name, of in MEMBER_OF.items():
        more = "objectClass: extensibleObject\n" + (f"memberOf: cn={of},{BASE}\n" if of else "")
        text += person(name, BASE).replace("objectClass: inetOrgPerson\n", "objectClass: inetOrgPerson\n" + more)
    return text


class Own(Slapd):
    def _write_configuration(self):
        super()._write_configuration()
        text = self.configuration.read_text().replace("modulepath", SCHEMA, 1)
        self.configuration.write_text(text.replace("access to * by users read by * none",
                                                   "access to attrs=memberOf by self read by * none\naccess to * by * read", 1))


@pytest.fixture(scope="module")
def slapd(workdirs):
    slapd = Own(workdirs.new("slapd-own"), [Database(BASE, Text(ldif()))]).start()
    yield slapd
    slapd.stop()


DIRECTORY = (f'AuthLDAPURL "ldap://127.0.0.1:${{LDAP}}/{BASE}?uid"\n    AuthLDAPInitialBindAsUser On\n'
             f"    AuthLDAPInitialBindPattern (.+) uid=$1,{BASE}\n    AuthStatusGroups MemberOf")


def test_what_users_see_of_themselves(start, slapd):
    lines = all_of("valid-user", f"not ldap-group cn=banned,{BASE}")
    httpd = start.make(section("own", lines, directory=DIRECTORY) + section("file", lines, provider="file", directory=DIRECTORY),
                       defines={"LDAP": slapd.port})
    (httpd.workdir / "users").write_text("".join(f"{name}:{HASH}\n" for name in MEMBER_OF))
    httpd.start()
    httpd.log.allow("AH01631", "AS0094")
    httpd.log.expect("AS0062.*memberOf is empty, and this account has seen it in no entry")

    def statuses(name, *users):
        """Of one process: each finds out for itself what is to be seen. A 500 ends a connection."""
        with httpd.connection() as connection:
            return [connection.request(f"/in/{name}", login=(user, RIGHT)).status for user in users]

    assert statuses("own", "eve") == [500]  # nobody has seen memberOf yet
    assert statuses("own", "ann", "bob", "eve") == [403, 200, 200]
    # Behind a password file the service account reads the entries: nobody has memberOf there.
    for user in MEMBER_OF:
        assert statuses("file", user) == [500]
