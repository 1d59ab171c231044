# SPDX-License-Identifier: Apache-2.0
"""The servers that the bench compares: one slapd or two with a thousand people, and an httpd for each configuration."""
import contextlib
import tempfile
from pathlib import Path

from lab.httpd import Httpd
from lab.slapd import TOP, Database, Slapd
from lab.stores import Memcached, Redis, key_file

USERS = 1000
PASSWORD = "Pw!right"
PEOPLE = TOP + """dn: ou=policies,@SUFFIX@
objectClass: organizationalUnit

""" + "".join(f"dn: cn=group{number},@SUFFIX@\nobjectClass: groupOfNames\nmember: uid={'u0' if number == 5 else 'nobody'},@SUFFIX@\n\n"
              for number in range(1, 6))
PERSON = """
dn: uid=u{0},@SUFFIX@
objectClass: inetOrgPerson
cn: u{0}
sn: u{0}
userPassword: Pw!right
"""
COMMON = """<Directory "/">
    AllowOverride None
</Directory>
"""
LOGIN = """<Location /in>
    AuthType Basic
    AuthName "the bench"
    AuthBasicProvider {provider}
    AuthLDAPURL "ldap://{servers}/o=bench?uid"
    AuthLDAPBindDN "cn=service,o=bench"
    AuthLDAPBindPassword "Pw!service"
    {lines}
    {more}
</Location>
"""
ANYBODY = """<Location /in>
    AuthType Basic
    AuthName "the bench"
    AuthBasicProvider anon
    Anonymous *
    Anonymous_MustGiveEmail Off
    Anonymous_LogEmail Off
    Require valid-user
</Location>
"""
THEIRS_UNCACHED = "LDAPSharedCacheSize 0\nLDAPCacheEntries 0\nLDAPOpCacheEntries 0\n"
VALID_USER = "Require valid-user"
GROUP = "Require ldap-group cn=group5,o=bench"
FIVE_GROUPS = "\n    ".join(f"Require ldap-group cn=group{number},o=bench" for number in range(1, 6))
FILES = {"in/index.html": "the page\n"}


class Sites:
    """Everything that was started, until it is stopped."""

    def __init__(self, keep=False):
        self.top = Path(tempfile.mkdtemp(prefix="authstatus-bench-"))
        self.top.chmod(0o755)
        self.count = 0
        self.stack = contextlib.ExitStack()

    def workdir(self, name):
        self.count += 1
        workdir = self.top / f"{self.count:02}-{name}"
        workdir.mkdir()
        workdir.chmod(0o755)
        return workdir

    def directory(self, users=USERS, debug="none"):
        """debug="stats": it logs each operation, which takes a third of its time."""
        workdir = self.workdir("slapd")
        ldif = workdir / "people.ldif"
        ldif.write_text(PEOPLE + "".join(map(PERSON.format, range(users))))
        slapd = Slapd(workdir, [Database("o=bench", ldif, ("maxsize 2147483648",))], debug=debug).start()
        self.stack.callback(slapd.stop)
        return slapd

    def store(self, kind):
        store = kind(self.workdir(kind.name)).start()
        self.stack.callback(store.stop)
        return store

    def httpd(self, name, conf, **options):
        httpd = Httpd(self.workdir(name), COMMON + conf, files=FILES, **{"threads": 32, "cache": None, "in_flight": None, **options})
        # What all sides write is the same, and no test's: a nickname is looked up when all has been read.
        with open(httpd.configuration, "a") as text:
            text.write('LogFormat "%h %l %u %t \\"%r\\" %>s %b" row\n')
        httpd.start()
        self.stack.callback(httpd.stop)
        return httpd

    def ours(self, name, *directories, cache="shmcb", conf="", more="", modules=(), lines=VALID_USER, **options):
        """With mod_authstatus before these."""
        login = _login("authstatus", directories, f"AuthStatus On\n{more}", lines)
        return self.httpd(name, f"AuthStatusCache {cache}\n{conf}\n" + login,
                          modules=("socache_shmcb", *modules), **options)

    def shared(self, kind, *directories):
        store = self.store(kind)
        return self.ours(kind.name, *directories, cache=store.cache, conf=f'AuthStatusCacheKey "{key_file(store.workdir)}"',
                         modules=store.modules)

    def theirs(self, name, *directories, conf="", lines=VALID_USER, **options):
        """With mod_authnz_ldap, and without ours in the process."""
        return self.httpd(name, conf + _login("ldap", directories, lines=lines), ldap=True, authstatus=False, **options)

    def nobody(self, name="nobody", conf="", **options):
        """With a provider that queries nothing and grants all (mod_authn_anon): no provider can cost less."""
        return self.httpd(name, conf + ANYBODY, authstatus=False, **{"modules": ("authn_anon",), **options})

    def none(self, name="none", conf="", authstatus=False, **options):
        """The same file without authentication."""
        return self.httpd(name, conf, authstatus=authstatus, **options)

    def stop(self):
        self.stack.close()


def _login(provider, directories, more="", lines=VALID_USER):
    servers = " ".join(f"127.0.0.1:{slapd.port}" for slapd in directories)
    return LOGIN.format(provider=provider, servers=servers, more=more, lines=lines)
