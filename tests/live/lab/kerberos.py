# SPDX-License-Identifier: Apache-2.0
"""A Kerberos realm of one machine: MIT's KDC on a port of loopback, its principals, and a keytab for httpd."""
import os
import subprocess

from .process import Child, poll, reserve_port

REALM = "LAB.TEST"
HOST = "localhost"


class Realm:
    def __init__(self, workdir, people):
        """`people`: {name: password}."""
        self.workdir, self.people = workdir, people
        self.port = reserve_port()
        self.keytab = workdir / "http.keytab"
        self.environment = {**os.environ, "KRB5_CONFIG": str(workdir / "krb5.conf"), "KRB5_KDC_PROFILE": str(workdir / "kdc.conf")}
        self.child = None

    def start(self):
        (self.workdir / "krb5.conf").write_text(f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 {REALM} = {{
  kdc = 127.0.0.1:{self.port}
 }}
[domain_realm]
 {HOST} = {REALM}
""")
        (self.workdir / "kdc.conf").write_text(f"""[kdcdefaults]
 kdc_listen = 127.0.0.1:{self.port}
 kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
 {REALM} = {{
  database_name = {self.workdir}/principal
  key_stash_file = {self.workdir}/stash
  acl_file = {self.workdir}/acl
 }}
""")
        self._run("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        for name, password in self.people.items():
            self._run("kadmin.local", "-r", REALM, "addprinc", "-pw", password, name)
        self._run("kadmin.local", "-r", REALM, "addprinc", "-randkey", f"HTTP/{HOST}")
        self._run("kadmin.local", "-r", REALM, "ktadd", "-k", str(self.keytab), f"HTTP/{HOST}")
        self.keytab.chmod(0o644)
        self.child = Child(["krb5kdc", "-n", "-r", REALM], self.workdir / "kdc.log", env=self.environment)
        poll(self._answers, 60, "the KDC")
        return self

    def _run(self, *command, **options):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, **options)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def _answers(self):
        name = next(iter(self.people))
        done = subprocess.run(["kinit", "-c", f"FILE:{self.workdir}/probe", name], env=self.environment, text=True,
                              input=self.people[name], capture_output=True, check=False)
        return done.returncode == 0

    def curl(self, name, url, *options):
        """What curl prints for a request with a ticket of this person."""
        environment = {**self.environment, "KRB5CCNAME": f"FILE:{self.workdir}/tickets-{name}"}
        done = subprocess.run(["kinit", name], env=environment, input=self.people[name], text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return subprocess.run(["curl", "-sS", "--negotiate", "-u", ":", *options, url], env=environment,
                              capture_output=True, text=True, check=True).stdout

    def stop(self):
        if self.child:
            child, self.child = self.child, None
            child.stop()
