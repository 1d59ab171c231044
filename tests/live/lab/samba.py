# SPDX-License-Identifier: Apache-2.0
"""A real Active Directory domain controller: Samba, provisioned in a workdir of its own, without systemd.

Its ports are fixed (389, 636, 3268, 3269), so it gets two addresses of 127.0.0.0/8 that no other run has. A certificate
that names the first is one with a wrong host name at the second. Ports below 1024 are root's.
"""
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import ldap

from . import optional
from .process import Child, find_program, poll

DOMAIN, REALM, BASE = "LAB", "lab.test", "DC=lab,DC=test"
SERVICE = f"service@{REALM}"
SERVICE_PASSWORD = "Pw!service"
PORTS = (389, 636, 3268, 3269)
DAY = 86400

Account = namedtuple("Account", "name unit password attributes forced policy", defaults=({}, {}, None))
Policy = namedtuple("Policy", "name attributes")

_reserved = {}


def filetime(ago):
    """AD's time, `ago` seconds before now: tenths of microseconds since 1601."""
    return str(int((time.time() - ago + 11644473600) * 10_000_000))


def policy(name, **attributes):
    """A fine-grained password policy, which lets everything pass but what is said here (msDS-... without its prefix)."""
    for_ever = str(-(1 << 63))
    settings = {"PasswordSettingsPrecedence": "1", "PasswordReversibleEncryptionEnabled": "FALSE",
                "PasswordHistoryLength": "0", "PasswordComplexityEnabled": "FALSE", "MinimumPasswordLength": "0",
                "MinimumPasswordAge": "0", "MaximumPasswordAge": for_ever, "LockoutThreshold": "0",
                "LockoutObservationWindow": "-864000000000", "LockoutDuration": "-864000000000", **attributes}
    return Policy(name, {f"msDS-{key}": value for key, value in settings.items()})


def reserve_addresses(count):
    """Addresses whose ports are free, held by abstract sockets of their names as long as this process lives."""
    found = []
    while len(found) < count:
        address = f"127.{random.randint(64, 126)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0authstatus-live-{address}")
            for port in PORTS:
                with socket.socket() as probe:
                    probe.bind((address, port))
        except PermissionError:
            lock.close()
            raise RuntimeError("a domain controller needs ports below 1024: run as root, or --without samba") from None
        except OSError:
            lock.close()
            continue
        _reserved[address] = lock
        found.append(address)
    return found


class Samba:
    """CN=service,OU=services may read; all else is in `accounts`, each with the unit it is in."""

    def __init__(self, workdir, accounts, policies=(), authority=None, durable=False):
        optional.require("samba")
        self.workdir = workdir
        # Nobody mourns this domain: a power cut may have it, and nothing waits for the disk.
        self.environment = os.environ if durable else {**os.environ, "TDB_NO_FSYNC": "1"}
        self.authority = authority
        self.address, self.other_address = reserve_addresses(2)
        self.certificate = authority.issue("samba", alternatives=f"IP:{self.address}") if authority else None
        self.child = None
        self.top = workdir / "domain"
        self.configuration = workdir / "smb.conf"
        self._provision()
        self._configure(self.certificate, strong=False)
        self._fill(accounts, policies)

    def _run(self, *command, text=None):
        done = subprocess.run([str(part) for part in command], input=text, capture_output=True, text=True,
                              env=self.environment)
        if done.returncode:
            raise RuntimeError(f"{command[0]} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")

    def _provision(self):
        (self.workdir / "empty.conf").write_text("")
        self.top.mkdir()
        self._run(find_program("samba-tool"), "domain", "provision", f"--configfile={self.workdir}/empty.conf",
                  f"--realm={REALM.upper()}", f"--domain={DOMAIN}", "--server-role=dc", "--dns-backend=NONE",
                  "--adminpass=Pw!administrator-1", "--host-name=dc1", f"--host-ip={self.address}",
                  f"--targetdir={self.top}")

    def _configure(self, certificate, strong):
        for name in ("run", "ncalrpc", "cache"):
            (self.top / name).mkdir(exist_ok=True)
        lines = ["[global]", f"workgroup = {DOMAIN}", f"realm = {REALM.upper()}", "netbios name = DC1",
                 "server role = active directory domain controller", "server services = ldap",
                 f"interfaces = {self.address}/8 {self.other_address}/8", "bind interfaces only = yes",
                 f"ldap server require strong auth = {'yes' if strong else 'no'}",
                 f"private dir = {self.top}/private", f"state directory = {self.top}/state",
                 f"cache directory = {self.top}/cache", f"lock directory = {self.top}",
                 f"pid directory = {self.top}/run", f"ncalrpc dir = {self.top}/ncalrpc",
                 f"binddns dir = {self.top}/bind-dns"]
        if certificate:
            lines += ["tls enabled = yes", f"tls cafile = {self.authority.cert}", f"tls certfile = {certificate.cert}",
                      f"tls keyfile = {certificate.key}"]
            # Samba takes no key that others may read.
            certificate.key.chmod(0o600)
        else:
            lines += ["tls enabled = no"]
        self.configuration.write_text("\n".join(lines) + "\n")

    def _fill(self, accounts, policies):
        accounts = [Account("service", "services", SERVICE_PASSWORD, {"userPrincipalName": SERVICE}), *accounts]
        wanted = {"units": sorted({account.unit for account in accounts}),
                  "accounts": [account._asdict() for account in accounts],
                  "policies": [policy._asdict() for policy in policies]}
        # -I: this folder has a samba of its own.
        self._run(sys.executable, "-I", Path(__file__).with_name("samba_accounts.py"), self.configuration,
                  text=json.dumps(wanted))

    # -- life

    def start(self):
        self.child = Child([find_program("samba"), "-F", "--no-process-group", "-M", "single", "--debug-stdout",
                            "-s", str(self.configuration)], self.workdir / "samba.log", env=self.environment)
        ports = PORTS if self.certificate else (389, 3268)
        self.child.wait_until(lambda: all(self._listens(port) for port in ports), 90, "samba")
        return self

    def _listens(self, port):
        addresses = (self.address, self.other_address)
        for address in addresses:
            with socket.socket() as probe:
                if probe.connect_ex((address, port)):
                    return False
        return True

    def stop(self):
        """Samba ends with 127 when it is told to."""
        if self.child:
            child, self.child = self.child, None
            code = child.stop()
            if code != 127:
                raise RuntimeError(f"samba ended with {code}\n{child.said()}")

    @contextmanager
    def otherwise(self, certificate=None, strong=False):
        """For a while with another certificate, or as Samba is by default: passwords over TLS only."""
        self.stop()
        self._configure(certificate or self.certificate, strong)
        self.start()
        try:
            yield self
        finally:
            self.stop()
            self._configure(self.certificate, strong=False)
            self.start()

    # -- a client of the test's own

    def bind(self, name, password):
        """The diagnostic text of a bind, "" for one that succeeds."""
        connection = ldap.initialize(f"ldap://{self.address}")
        try:
            connection.simple_bind_s(name, password)
        except ldap.INVALID_CREDENTIALS as error:
            return error.args[0].get("info", "")
        finally:
            connection.unbind_s()
        return ""

    def lock_out(self, name):
        """By failures, as many as its policy needs."""
        poll(lambda: "data 775," in self.bind(f"{DOMAIN}\\{name}", "Pw!wrong"), 10, f"{name} is locked out")

    def set_lockout_threshold(self, failures):
        """Of the domain, while it runs."""
        self._run(find_program("samba-tool"), "domain", "passwordsettings", "set", f"--configfile={self.configuration}",
                  f"--account-lockout-threshold={failures}")

    def references(self, name):
        """The continuation references that come with a search for somebody from the domain's root."""
        connection = ldap.initialize(f"ldap://{self.address}")
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.simple_bind_s(SERVICE, SERVICE_PASSWORD)
        found = connection.search_s(BASE, ldap.SCOPE_SUBTREE, f"(sAMAccountName={name})", ["cn"])
        connection.unbind_s()
        return [uri for dn, uris in found if dn is None for uri in uris]
