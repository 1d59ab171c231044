# SPDX-License-Identifier: Apache-2.0
"""A real 389 Directory Server in a workdir of its own, without systemd.

dscreate starts a server of its own to configure it and leaves things in /etc, /run and /dev/shm; everything it writes
is made here from the same template (template-dse.ldif), and the database is imported before the server starts.
"""
import grp
import os
import pwd
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import ldap

from . import optional
from .process import Child, find_program, listens, reserve_port

BASE = "dc=lab,dc=test"
SERVICE = f"cn=service,{BASE}"
SERVICE_PASSWORD = "Pw!service"
MANAGER, MANAGER_PASSWORD = "cn=Directory Manager", "Pw!manager"
USER = "dirsrv"
SHARE, ETC = Path("/usr/share/dirsrv"), Path("/etc/dirsrv")

TOP = f"""dn: {BASE}
objectClass: top
objectClass: domain
dc: lab
aci: (targetattr != "userPassword")(version 3.0; acl "service"; allow (read, search, compare) userdn = "ldap:///{SERVICE}";)

dn: {SERVICE}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: service
userPassword: {SERVICE_PASSWORD}
"""

BACKEND = f"""
dn: cn=userRoot,cn=ldbm database,cn=plugins,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsBackendInstance
cn: userRoot
nsslapd-suffix: {BASE}
nsslapd-cachememsize: 10485760
nsslapd-directory: @DB@/userRoot

dn: cn="{BASE}",cn=mapping tree,cn=config
objectClass: top
objectClass: extensibleObject
objectClass: nsMappingTree
cn: {BASE}
nsslapd-state: backend
nsslapd-backend: userRoot
"""


def _run(*command):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


class Dirsrv:
    """ldif: entries below BASE; cn=service may read them. config: what is added to cn=config, plugins: changed
    attributes of entries of the template, by their DN."""

    def __init__(self, workdir, ldif, config=None, changes=None, authority=None):
        optional.require("389ds")
        self.workdir = workdir
        self.authority = authority
        self.port, self.tls_port = reserve_port(), reserve_port()
        self.certificate = authority.issue("389ds", alternatives="IP:127.0.0.1") if authority else None
        self.child = None
        self.directories = {name: workdir / name for name in ("config", "db", "log", "run", "lock", "ldif", "bak", "tmp")}
        self._configure(config or {}, changes or {})
        if self.certificate:
            self._install(self.certificate)
        self._import(ldif)

    def _configure(self, config, changes):
        for path in self.directories.values():
            path.mkdir()
        conf, db = self.directories["config"], self.directories["db"]
        template = (SHARE / "data/template-dse.ldif").read_text()
        values = {**{f"{name}_dir": str(path) for name, path in self.directories.items()},
                  "schema_dir": str(conf / "schema"), "cert_dir": str(conf), "inst_dir": str(self.workdir),
                  "db_home_dir": str(db), "db_lib": "bdb", "fqdn": "localhost", "ds_port": str(self.port),
                  "ds_user": self._user(), "rootdn": MANAGER, "ds_passwd": f"{{CLEAR}}{MANAGER_PASSWORD}", "ds_suffix": BASE,
                  "ldapi_enabled": "off", "ldapi": str(self.workdir / "ldapi"), "ldapi_autobind": "off"}
        text = re.sub(r"%(\w+)%", lambda match: values[match[1]], template)
        settings = {"nsslapd-listenhost": "127.0.0.1", "nsslapd-securelistenhost": "127.0.0.1",
                    "nsslapd-accesslog-logging-enabled": "off", **config}
        if self.certificate:
            settings |= {"nsslapd-security": "on", "nsslapd-secureport": str(self.tls_port)}
        text = self._change(text, "cn=config", settings)
        # Without this it takes a good part of the machine's memory for three entries.
        text = self._change(text, "cn=config,cn=ldbm database,cn=plugins,cn=config",
                            {"nsslapd-cache-autosize": "0", "nsslapd-dbcachesize": "10485760",
                             "nsslapd-import-cache-autosize": "0", "nsslapd-import-cachesize": "10485760"})
        for dn, attributes in changes.items():
            text = self._change(text, dn, attributes)
        (conf / "dse.ldif").write_text(text.rstrip("\n") + "\n" + BACKEND.replace("@DB@", str(db)))
        (conf / "schema").mkdir()
        shutil.copy(ETC / "schema/99user.ldif", conf / "schema")
        for name in ("slapd-collations.conf", "certmap.conf"):
            shutil.copy(ETC / "config" / name, conf)

    @staticmethod
    def _change(text, dn, attributes):
        """Replaces attributes of an entry of the template."""
        head, found, rest = text.partition(f"dn: {dn}\n")
        if not found:
            raise RuntimeError(f"389's template has no {dn}")
        entry, end, rest = rest.partition("\n\n")
        for name, value in attributes.items():
            entry = re.sub(rf"(?mi)^{re.escape(name)}:.*\n?", "", entry).rstrip("\n") + f"\n{name}: {value}"
        return head + found + entry + end + rest

    @staticmethod
    def _user():
        return USER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    def _own(self):
        if os.geteuid() == 0:
            uid, gid = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
            for top, _, files in os.walk(self.workdir):
                for path in (top, *(os.path.join(top, name) for name in files)):
                    os.chown(path, uid, gid)

    def _install(self, certificate):
        """Into a database of NSS; certificates are looked for by nickname."""
        conf, bundle = self.directories["config"], self.workdir / "bundle.p12"
        for name in ("cert9.db", "key4.db", "pkcs11.txt"):
            (conf / name).unlink(missing_ok=True)
        _run("openssl", "pkcs12", "-export", "-in", certificate.cert, "-inkey", certificate.key, "-name",
             "Server-Cert", "-passout", "pass:", "-out", bundle)
        _run(find_program("certutil"), "-N", "-d", conf, "--empty-password")
        _run(find_program("certutil"), "-A", "-d", conf, "-n", "CA", "-t", "CT,,", "-a", "-i", self.authority.cert)
        _run(find_program("pk12util"), "-i", bundle, "-d", conf, "-W", "")

    def _import(self, ldif):
        path = self.directories["ldif"] / "people.ldif"
        path.write_text(f"{TOP}\n{ldif}")
        self._own()
        _run(*self._as_user(), find_program("ns-slapd"), "ldif2db", "-D", self.directories["config"], "-n", "userRoot",
             "-i", path)

    @staticmethod
    def _as_user():
        """Never as root: to change the user later would undo that it dies with us."""
        if os.geteuid():
            return ()
        return (find_program("setpriv"), f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--pdeathsig=TERM")

    # -- life

    def start(self):
        self._own()
        self.child = Child([*self._as_user(), find_program("ns-slapd"), "-D", str(self.directories["config"]), "-i",
                            str(self.directories["run"] / "pid"), "-d", "0"], self.workdir / "ns-slapd.log")
        ports = [self.port, self.tls_port] if self.certificate else [self.port]
        self.child.wait_until(lambda: all(map(listens, ports)), 90, "ns-slapd")
        return self

    def stop(self):
        if self.child:
            child, self.child = self.child, None
            code = child.stop(30)
            if code:
                raise RuntimeError(f"ns-slapd ended with {code}\n{child.said()}\n{self.errors()}")

    def errors(self):
        path = self.directories["log"] / "errors"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    @contextmanager
    def otherwise(self, certificate):
        """For a while with another certificate."""
        self._exchange(certificate)
        try:
            yield self
        finally:
            self._exchange(self.certificate)

    def _exchange(self, certificate):
        self.stop()
        self._install(certificate)
        self.start()

    # -- a client of the test's own

    def client(self, dn=MANAGER, password=MANAGER_PASSWORD):
        connection = ldap.initialize(f"ldap://127.0.0.1:{self.port}")
        connection.simple_bind_s(dn, password)
        return connection

    def refusal(self, dn, password):
        """How a bind is refused: (code, text); None if it is not."""
        try:
            self.client(dn, password).unbind_s()
        except ldap.LDAPError as error:
            return error.args[0]["result"], error.args[0].get("info", "")
        return None
