# SPDX-License-Identifier: Apache-2.0
"""A machine as the manual's readers have one: folders, names and ports as they are printed. It has mounts and a network of its own
(unshare), so that nothing of this machine is touched or needed but its programs."""
import base64
import json
import os
import re
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

from .httpd import BUILD, MODULE, MODULES, PROGRAM, has_module
from .outcomes import SOURCE
from .process import Child, poll
from .slapd import Slapd

# What a package or `make install` of httpd enables by itself.
USUAL = {
    "debian": ("mpm_event", "access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_core", "authz_host",
               "authz_user", "autoindex", "deflate", "dir", "env", "filter", "mime", "negotiation", "reqtimeout", "setenvif",
               "status"),
    "own": ("mpm_event", "authn_file", "authn_core", "authz_host", "authz_groupfile", "authz_user", "authz_core", "access_compat",
            "auth_basic", "reqtimeout", "filter", "mime", "log_config", "env", "headers", "setenvif", "version", "unixd", "status",
            "autoindex", "dir", "alias"),
}
NAMES = ("ldap.example.org", "ldap1.example.org", "ldap2.example.org", "dc1.corp.example", "dc2.corp.example")
DEBIAN = {"APACHE_RUN_USER": "www-data", "APACHE_RUN_GROUP": "www-data", "APACHE_PID_FILE": "/run/apache2/apache2.pid",
          "APACHE_RUN_DIR": "/run/apache2", "APACHE_LOCK_DIR": "/run/apache2", "APACHE_LOG_DIR": "/var/log/apache2"}
COVERED = ("/etc/apache2", "/etc/ssl", "/srv", "/var", "/run", "/usr/local")
FETCH = """import base64, json, ssl, sys, urllib.request, urllib.error
url, user, password = sys.argv[1:]
request = urllib.request.Request(url)
if user:
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
try:
    answer = urllib.request.urlopen(request, timeout=30, context=ssl._create_unverified_context())
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, dict(answer.headers), base64.b64encode(answer.read()).decode()]))
"""
Answer = namedtuple("Answer", "status headers text")


def why_not():
    """A sentence, or None: such a machine can be made here."""
    if os.geteuid() != 0:
        return "only root makes namespaces"
    missing = [path for path in COVERED if not os.path.isdir(path) or os.path.realpath(path) != path]
    if missing:
        return f"{', '.join(missing)} is not there, or a link"
    done = subprocess.run(["unshare", "-m", "-n", "true"], capture_output=True, text=True)
    return f"no namespaces: {done.stderr.strip()}" if done.returncode else None


class Machine:
    def __init__(self, workdir):
        self.workdir = workdir
        self.child = self.httpd = None
        self.child = Child(["unshare", "-m", "-n", "--propagation", "private", "sleep", "infinity"], workdir / "holder")
        poll(lambda: self._namespace(self.child.pid) != self._namespace("self"), 10, "a namespace")
        for path in COVERED:
            self.run("mount", "-t", "tmpfs", "tmpfs", path)
        self.run("ip", "link", "set", "lo", "up")
        for address in ("10.0.0.5/32", "10.0.0.6/32"):
            self.run("ip", "address", "add", address, "dev", "lo")
        self.cover("/etc/hosts", "127.0.0.1 localhost intranet.example.org www.example.org " + " ".join(NAMES) + "\n")
        if os.path.exists("/etc/ldap/ldap.conf"):
            self.cover("/etc/ldap/ldap.conf", "TLS_CACERT /etc/ssl/certs/ca-certificates.crt\n")

    @staticmethod
    def _namespace(pid):
        return os.readlink(f"/proc/{pid}/ns/mnt"), os.readlink(f"/proc/{pid}/ns/net")

    def command(self, *words):
        # -r: where this runs in a chroot, the root of its mounts is another's.
        return ["nsenter", "-t", str(self.child.pid), "-m", "-n", "-r", *map(str, words)]

    def run(self, *words, text=None, env=None, check=True):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, input=text, timeout=60, env=env)
        if check and done.returncode:
            raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
        return done

    def cover(self, path, text):
        """In place of a file of this machine's."""
        source = self.workdir / path.strip("/").replace("/", "-")
        source.write_text(text)
        self.run("mount", "--bind", source, path)

    def file(self, path):
        """A file of its own, as this process reaches it: a program for each would be 300 of them for a configuration."""
        assert path.startswith(tuple(f"{covered}/" for covered in COVERED)) and self.child.alive(), path
        return Path(f"/proc/{self.child.pid}/root{path}")

    def write(self, path, text, mode="644"):
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(int(mode, 8))

    def empty(self, path):
        folder = self.file(path)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)

    def listens(self, *ports):
        with open(f"/proc/{self.child.pid}/net/tcp") as four, open(f"/proc/{self.child.pid}/net/tcp6") as six:
            lines = [line.split() for line in [*four, *six]]
        return set(ports) <= {int(words[1].rpartition(":")[2], 16) for words in lines if words[3:4] == ["0A"]}

    def get(self, path, user="", password="", port=80, scheme="http"):
        done = self.run("/usr/bin/python3", "-c", FETCH, f"{scheme}://127.0.0.1:{port}{path}", user or "", password or "")
        status, headers, body = json.loads(done.stdout)
        return Answer(status, headers, base64.b64decode(body).decode())

    def stop(self):
        self.stop_httpd()
        if self.child:
            child, self.child = self.child, None
            child.stop()

    # -- httpd

    def lay_out(self, layout, name, text, modules):
        """Writes an httpd's configuration in which `text` is what its administrator has added."""
        self.layout = layout
        (self._debian if layout == "debian" else self._own)(name, text, modules)

    def _a2enmod(self, names):
        for name in names:
            if has_module(name):
                self.write(f"/etc/apache2/mods-enabled/{name}.load", f"LoadModule {name}_module {MODULES}/mod_{name}.so\n")

    def _debian(self, name, text, modules):
        self.empty("/etc/apache2/mods-enabled")
        self.empty("/etc/apache2/conf-enabled")
        self.empty("/etc/apache2/sites-enabled")
        self.empty("/run/apache2")
        self.empty("/var/log/apache2")
        load = (SOURCE / "build/a2mods/authstatus.load.in").read_text().replace("@modulesdir@", str(BUILD / ".libs"))
        needs = re.search(r"^# Depends: (.*)$", load, re.M)[1].split()
        self._a2enmod(dict.fromkeys((*USUAL["debian"], *needs, *modules)))
        self.write("/etc/apache2/mods-enabled/authstatus.load", load)
        self.write("/etc/apache2/mods-enabled/authstatus.conf", (SOURCE / "build/a2mods/authstatus.conf").read_text())
        self.write("/etc/apache2/ports.conf", "Listen 80\nListen 443\n")
        self.write("/etc/apache2/apache2.conf", f"""DefaultRuntimeDir ${{APACHE_RUN_DIR}}
PidFile ${{APACHE_PID_FILE}}
User ${{APACHE_RUN_USER}}
Group ${{APACHE_RUN_GROUP}}
ErrorLog ${{APACHE_LOG_DIR}}/error.log
LogLevel warn
IncludeOptional mods-enabled/*.load
IncludeOptional mods-enabled/*.conf
Include ports.conf
TypesConfig /dev/null
AddType text/html .html
ServerName localhost
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory /var/www/>
    Require all granted
</Directory>
IncludeOptional conf-enabled/*.conf
IncludeOptional sites-enabled/*.conf
""")
        self.write("/etc/apache2/sites-enabled/000-default.conf", "<VirtualHost *:80>\n    DocumentRoot /var/www/html\n</VirtualHost>\n")
        kind = "sites" if "<VirtualHost" in text else "conf"
        self.write(f"/etc/apache2/{kind}-enabled/{name}.conf", text)
        self.program = [PROGRAM]
        self.env = {"PATH": os.environ["PATH"], **DEBIAN}
        self.error_log = "/var/log/apache2/error.log"

    def _own(self, name, text, modules):
        root = "/usr/local/apache2"
        for folder in ("conf/extra", "logs", "modules"):
            self.empty(f"{root}/{folder}")
        modules_there = {module.name: module for module in (*MODULES.glob("*.so"), MODULE)}
        for file, module in modules_there.items():
            self.file(f"{root}/modules/{file}").symlink_to(module)
        needs = re.search(r"^# Depends: (.*)$", (SOURCE / "build/a2mods/authstatus.load.in").read_text(), re.M)[1].split()
        names = [each for each in dict.fromkeys((*USUAL["own"], *needs, *modules)) if has_module(each)]
        loads = "".join(f"LoadModule {each}_module modules/mod_{each}.so\n" for each in names)
        if "LoadModule authstatus_module" not in text:
            loads += "LoadModule authstatus_module modules/mod_authstatus.so\n"
        self.write(f"{root}/conf/httpd.conf", f"""ServerRoot "{root}"
Listen 80
Listen 443
{loads}User www-data
Group www-data
ServerName localhost
<Directory />
    AllowOverride none
    Require all denied
</Directory>
DocumentRoot "{root}/htdocs"
<Directory "{root}/htdocs">
    Require all granted
</Directory>
ErrorLog "logs/error_log"
LogLevel warn
PidFile "logs/httpd.pid"
TypesConfig /dev/null
AddType text/html .html
Include conf/extra/{name}.conf
""")
        self.write(f"{root}/conf/extra/{name}.conf", text)
        self.program = [PROGRAM, "-d", root, "-f", f"{root}/conf/httpd.conf"]
        self.env = {"PATH": os.environ["PATH"]}
        self.error_log = f"{root}/logs/error_log"

    @property
    def documents(self):
        return "/var/www/html" if self.layout == "debian" else "/usr/local/apache2/htdocs"

    def configtest(self):
        done = self.run(*self.program, "-t", env=self.env, check=False)
        return done.returncode, done.stdout + done.stderr

    def start_httpd(self):
        self.httpd = Child(self.command(*self.program, "-DFOREGROUND"), self.workdir / "httpd", env=self.env)
        poll(lambda: self.listens(80, 443) or not self.httpd.alive(), 30, "httpd")
        assert self.httpd.alive(), self.httpd.said() + self.log()

    def stop_httpd(self):
        if self.httpd:
            child, self.httpd = self.httpd, None
            child.stop()
            poll(lambda: not self.listens(80), 20, "httpd's port is free")

    def log(self):
        log = self.file(self.error_log)
        return log.read_text(errors="replace") if log.exists() else ""


class PrintedSlapd(Slapd):
    """On the ports that have names."""

    def __init__(self, machine, *arguments, **options):
        self.machine = machine
        super().__init__(*arguments, **options)

    def _write_configuration(self):
        super()._write_configuration()
        # Two attributes of Active Directory's.
        text = self.configuration.read_text()
        names = (("1.2.840.113556.1.4.221", "sAMAccountName"), ("1.2.840.113556.1.4.656", "userPrincipalName"))
        schema = "".join(f"attributetype ( {oid} NAME '{name}' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )\n"
                         for oid, name in names)
        schema += "objectclass ( 1.3.6.1.4.1.4203.666.1 NAME 'adPerson' AUXILIARY MAY ( sAMAccountName $ userPrincipalName ) )\n"
        self.configuration.write_text(text.replace("modulepath", schema + "modulepath", 1))

    def start(self):
        program = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/libexec:/usr/lib/openldap:" + os.environ["PATH"])
        self.child = Child(self.machine.command(program, "-f", self.configuration, "-h", "ldap:// ldaps:// ldaps://:3269", "-d", "stats"),
                           self.log_path)
        self.child.wait_until(lambda: self.machine.listens(389, 636, 3269), 20, "slapd")
        return self
