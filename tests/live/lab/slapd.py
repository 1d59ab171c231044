# SPDX-License-Identifier: Apache-2.0
"""A real slapd: databases from LDIF, password policies, TLS, and a count of its operations."""
import datetime
import os
import re
import signal
import subprocess
from collections import Counter, namedtuple

import ldap

from .process import Child, find_program, listens, poll, read_lines, reserve_port

Database = namedtuple("Database", "suffix ldif options", defaults=((),))

SERVICE_PASSWORD = "Pw!service"
# What every LDIF begins with: the suffix, and who searches.
TOP = """dn: @SUFFIX@
objectClass: organization
o: @NAME@

dn: cn=service,@SUFFIX@
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: @SERVICE_PASSWORD@

"""


def _directory_with(candidates, file):
    for path in candidates:
        if os.path.exists(os.path.join(path, file)):
            return path
    raise RuntimeError(f"{file} is in none of {candidates}")


def stamp(ago):
    """A generalized time, `ago` seconds before now."""
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago)
    return then.strftime("%Y%m%d%H%M%SZ")


def fill_in(text, suffix):
    """In an LDIF: @SUFFIX@ (o=NAME), @NAME@, @SERVICE_PASSWORD@, and @AGO:seconds@ for a time in the past (negative: to come)."""
    text = text.replace("@SUFFIX@", suffix).replace("@NAME@", suffix.removeprefix("o="))
    text = text.replace("@SERVICE_PASSWORD@", SERVICE_PASSWORD)
    text = re.sub(r"@AGO:(-?\d+)@", lambda match: stamp(int(match[1])), text)
    left = re.findall(r"@[A-Z_]+[:@]", text)
    if left:
        raise RuntimeError(f"not filled in: {left}")
    return text


class Slapd:
    """A bound user may read; anonymous may bind as somebody and see nothing, so that a search on a connection
    that is no longer bound finds nobody: that trap is in every test."""

    def __init__(self, workdir, databases, tls=None, authority=None, debug="stats"):
        self.workdir = workdir
        self.port = reserve_port()
        self.tls_port = reserve_port() if tls else None
        self.databases = databases
        self.tls = tls
        self.authority = authority
        self.debug = debug
        self.log_path = workdir / "slapd.log"
        self.child = None
        self._write_configuration()
        for number, database in enumerate(databases, 1):
            self._load(number, database)

    def _write_configuration(self):
        schema = _directory_with(("/etc/ldap/schema", "/etc/openldap/schema"), "core.schema")
        modules = _directory_with(("/usr/lib/ldap", "/usr/lib64/openldap", "/usr/libexec/openldap"), "ppolicy.so")
        lines = [f"include {schema}/{name}.schema" for name in ("core", "cosine", "inetorgperson", "nis")]
        lines += [f"modulepath {modules}"]
        lines += [f"moduleload {name}" for name in ("back_mdb", "ppolicy")
                  if os.path.exists(f"{modules}/{name}.so")]
        lines += [f"pidfile {self.workdir}/slapd.pid", "sizelimit 100", "threads 8", "password-hash {CLEARTEXT}"]
        if self.tls:
            lines += [f"TLSCACertificateFile {self.authority.cert}", f"TLSCertificateFile {self.tls.cert}",
                      f"TLSCertificateKeyFile {self.tls.key}"]
        for number, database in enumerate(self.databases, 1):
            (self.workdir / f"db{number}").mkdir()
            lines += ["", "database mdb", f"suffix {database.suffix}", f"directory {self.workdir}/db{number}",
                      "maxsize 16777216", "dbnosync", "index objectClass,uid,mail eq",
                      "access to attrs=userPassword by anonymous auth by * none",
                      f'access to * by users read by * none',
                      "overlay ppolicy", f'ppolicy_default "cn=default,ou=policies,{database.suffix}"',
                      *database.options]
        self.configuration = self.workdir / "slapd.conf"
        self.configuration.write_text("\n".join(lines) + "\n")

    def _load(self, number, database):
        ldif = self.workdir / f"db{number}.ldif"
        ldif.write_text(fill_in(database.ldif.read_text(), database.suffix))
        done = subprocess.run([find_program("slapadd"), "-q", "-f", self.configuration, "-b", database.suffix, "-l", ldif],
                              capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"slapadd of {database.ldif}: {done.stderr}")

    def start(self):
        urls = f"ldap://127.0.0.1:{self.port}"
        if self.tls:
            urls += f" ldaps://127.0.0.1:{self.tls_port}"
        self.child = Child([find_program("slapd"), "-f", self.configuration, "-h", urls, "-d", self.debug], self.log_path)
        self.child.wait_until(lambda: listens(self.port) and (not self.tls or listens(self.tls_port)), 60, "slapd")
        return self

    def stop(self):
        if self.child:
            self.child.stop()
            self.child = None

    def kill(self):
        """Kills it without a clean end."""
        child, self.child = self.child, None
        os.kill(child.pid, signal.SIGKILL)
        child.wait(10)

    def freeze(self):
        """Stops it: its kernel still accepts connections, but it never answers."""
        self.child.freeze()

    def thaw(self):
        self.child.thaw()

    def client(self, dn=None, password=SERVICE_PASSWORD, suffix=None):
        """A client of the test's own, bound as the service account by default."""
        connection = ldap.initialize(f"ldap://127.0.0.1:{self.port}")
        connection.simple_bind_s(dn or f"cn=service,{suffix or self.databases[0].suffix}", password)
        return connection

    # -- counting: slapd writes a line for an operation before it answers it

    def mark(self):
        return self.log_path.stat().st_size

    def lines(self, mark=0, end=None):
        return read_lines(self.log_path, mark, end)[0]

    def operations(self, mark, base=None):
        """What came since `mark`: connections, service_binds (or anonymous), user_binds (all others), searches,
        other. With `base`, only searches below it."""
        new = self._connections(self.lines(mark)) - self._connections(self.lines(0, mark))
        count = Counter(connections=len(new), service_binds=0, user_binds=0, searches=0, other=0)
        for line in self.lines(mark):
            if bind := re.search(r' BIND dn="([^"]*)" method=', line):
                service = not bind[1] or bind[1].startswith("cn=service,")
                count["service_binds" if service else "user_binds"] += 1
            elif search := re.search(r' SRCH base="([^"]*)"', line):
                if base is None or search[1] == base:
                    count["searches"] += 1
            elif re.search(r" op=\d+ (CMP|ADD|MOD|DEL|MODRDN|ABANDON|PASSMOD|WHOAMI)\b", line):
                count["other"] += 1
        return dict(count)

    def find_longest_silence(self, mark, begun):
        """Seconds until the first result since `mark`, and between two, at the most; infinite where the log has no fractions of a
        second. `begun`: when the first was asked for, by the clock."""
        times = [re.match(r"([0-9a-f]{8})\.([0-9a-f]{8}) .* RESULT ", line) for line in self.lines(mark)]
        times = [begun, *(int(time[1], 16) + int(time[2], 16) / 1e9 for time in times if time)]
        return max((later - sooner for sooner, later in zip(times, times[1:])), default=float("inf"))

    @staticmethod
    def _connections(lines):
        """By any line of theirs: slapd may write that it accepted one after what it was asked there."""
        return set(re.findall(r" conn=(\d+) ", "\n".join(lines)))

    def open_connections(self):
        text = "\n".join(self.lines())
        return len(re.findall(r" fd=\d+ ACCEPT from ", text)) - len(re.findall(r" fd=\d+ closed", text))

    def wait_for_silence(self, open_connections=0, seconds=10):
        poll(lambda: self.open_connections() <= open_connections, seconds, "slapd's connections closed")
