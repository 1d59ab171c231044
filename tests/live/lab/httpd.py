# SPDX-License-Identifier: Apache-2.0
"""A real httpd: configuration, start, stop, graceful restart, its two logs, and the sanitizers' reports."""
import contextlib
import functools
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections import namedtuple
from pathlib import Path

from . import client
from .outcomes import SOURCE, TAGS
from .process import Child, Timeout, children, descriptors, find_program, listening_sockets, listens, poll, read_lines, reserve_port

BUILD = Path(os.environ.get("AUTHSTATUS_BUILD", SOURCE))
MODULE = BUILD / ".libs/mod_authstatus.so"
SANITIZE = os.environ.get("AUTHSTATUS_SANITIZE") == "1"
# A directory with another libapr-1.so.0, for build/inspect pools.
APR = os.environ.get("AUTHSTATUS_APR")
# How much later than its deadline an answer may come on a machine that has other things to do, in seconds. Without a
# deadline an answer takes until somebody's Timeout, which is beyond.
SLACK = 8.0
MPMS = ("event", "worker", "prefork")

ALWAYS = ("log_config", "logio", "unixd", "version", "authn_core", "authn_file", "authz_core", "authz_host",
          "authz_user", "auth_basic", "alias", "dir", "mime", "env", "setenvif", "headers", "macro")
LDAP = ("ldap", "authnz_ldap")

# Row, user, request, status, and the three notes.
ACCESS_FORMAT = r'%{X-Row}i\t%u\t%r\t%>s\t%{authstatus-outcome}n\t%{authstatus-status}n\t%{authstatus-ldap}n'
Access = namedtuple("Access", "row user request status outcome meant ldap")

Line = namedtuple("Line", "module level row text")
SERIOUS = ("emerg", "alert", "crit", "error", "warn")
# httpd's event MPM when it is told to stop while an answer is on its way: its own, and nothing of ours. Its last one is of a
# worker's socket that close_worker_sockets() closed between the worker's look and its close().
STOPPING = r"AH0309[23]|Bad file descriptor: AH00468"
# What mod_ssl was compiled with, as a distribution's packages are.
PACKAGED = "AH01882"
# ModSecurity, where its distribution has a newer libpcre2 than the one that it was compiled with: each start of httpd.
PCRE = r"ModSecurity: Loaded PCRE do not match with compiled!"
# An outage that a test announced may be over in a later one.
OVER = r"^AS0094: |: AS0094: "
# All threads or children were busy, or not gone yet, at the moment of a second when httpd counts them: its own, of the small
# numbers below, and a matter of how fast the machine is. So is that a child is told to stop a second time (AH00045); that it had
# to be killed (AH00046) is one where it looks for leaks at its end, and else a fault.
FULL = ("AH00046: |" if SANITIZE else "") + r"AH00045: |AH00161: |AH0028[678]: |AH00484: |AH03490: |AH10159: "
ALWAYS_ALLOWED = [re.compile(pattern) for pattern in (STOPPING, PACKAGED, PCRE, OVER, FULL)]


def _apxs(name):
    apxs = os.environ.get("APXS") or shutil.which("apxs") or shutil.which("apxs2")
    if not apxs:
        raise RuntimeError("apxs is not installed")
    return subprocess.run([apxs, "-q", name], capture_output=True, text=True, check=True).stdout.strip()


PROGRAM = os.environ.get("AUTHSTATUS_HTTPD") or os.path.join(_apxs("SBINDIR"), _apxs("PROGNAME"))
MODULES = Path(_apxs("LIBEXECDIR"))


def has_module(name):
    return (MODULES / f"mod_{name}.so").exists()


class ErrorLog:
    """A test announces the warnings and errors that it provokes. Others fail it, and so do announced ones that are missing."""

    FORMAT = r"[%{cu}t] [%-m:%-l] [%{X-Row}i] [pid %P:tid %T] %7F: %E: [client\ %a] %M"
    _line = re.compile(r"^\[[^]]*\] \[(?P<module>[^:\]]*):(?P<level>\w+)\] (?:\[(?P<row>[^]]*)\] )?(?P<text>.*)$")

    def __init__(self, path):
        self.path = path
        self.position = 0
        self._expected = []
        self._allowed = ALWAYS_ALLOWED[:]

    def expect(self, *patterns):
        """Each matches at least one line before the test ends."""
        self._expected += map(re.compile, patterns)

    def allow(self, *patterns):
        self._allowed += map(re.compile, patterns)

    def lines(self, position=None):
        return self._read(self.position if position is None else position)[0]

    def _read(self, position):
        found = []
        texts, end = read_lines(self.path, position)
        for line in texts:
            if match := self._line.match(line):
                found.append(Line(*match.groups()))
            elif line:
                found.append(Line("", "crit", None, line))  # what is no line of httpd's is worth a look
        return found, end

    def of(self, row):
        return [line for line in self.lines() if line.row == row]

    def size(self):
        return os.path.getsize(self.path)

    def _missing(self):
        """What is expected and not there."""
        lines = self.lines() if self._expected else []
        return [pattern for pattern in self._expected if not any(pattern.search(line.text) for line in lines)]

    def settle(self):
        """Returns the problems of the log since the last call, as sentences; then starts anew. A line may be written behind the
        answer that it is about."""
        with contextlib.suppress(Timeout):
            poll(lambda: not self._missing(), 2, "the lines that are expected")
        problems = [f"expected in the log, and not there: {pattern.pattern}" for pattern in self._missing()]
        lines, self.position = self._read(self.position)
        known = self._expected + self._allowed
        problems += [f"unannounced: [{line.module}:{line.level}] {line.text}" for line in lines
                     if line.level in SERIOUS and not any(pattern.search(line.text) for pattern in known)]
        problems += [f"a password in the log: {line.text}" for line in lines
                     if line.module == "authstatus" and ("Pw!" in line.text or "UHch" in line.text)]
        self._expected, self._allowed = [], ALWAYS_ALLOWED[:]
        return problems


class Httpd:
    """One httpd in a workdir of its own.

    conf: a file with httpd configuration, included as it is; or text. It sees ${NAME} for each of `defines`, for each
        name in `listen` (a port that is listened on, HTTP is the first), ${WORKDIR} and ${DOCS}.
    files: what is in the document root, path to text; index.html is always there.
    cache: AuthStatusCache; Off so that rows do not answer for each other. None: as it is without the directive.
    preload: a library for LD_PRELOAD, behind the sanitizers'; environment: more of it.
    module: the mod_authstatus.so that is loaded, if it is not the one that was built.
    limits: options of prlimit(1), which starts it.
    in_flight: AuthStatusInFlight, where `conf` does not set it. As many as there are threads: on a busy machine no answer
        may come for a tenth of a second, which is no overload of the directory. None: the default of the module.
    """

    def __init__(self, workdir, conf, mpm="event", defines=None, modules=(), ldap=False, listen=("HTTP",), files=None,
                 authstatus=True, threads=16, cache="Off", preload=None, environment=None, module=MODULE, in_flight="threads", limits=()):
        self.workdir = workdir
        self.mpm = mpm
        self.preload = preload
        self.module = module
        self.environment = environment or {}
        self.limits = limits
        self.ports = {name: reserve_port() for name in listen}
        self.port = self.ports[listen[0]]
        self.child = None
        for name in ("logs", "run", "docs", "reports"):
            (workdir / name).mkdir()
        (workdir / "reports").chmod(0o1777)
        for name, text in {"index.html": "the page\n", **(files or {})}.items():
            self.write(name, text)
        if isinstance(conf, Path):
            text = f'Include "{conf}"'
        else:
            text = conf
        self.configuration = workdir / "httpd.conf"
        lines = [*self._lines(defines or {}, modules, ldap, authstatus, threads, cache)]
        if authstatus and in_flight:
            lines.append(f"AuthStatusInFlight {max(threads, 16)}")
        self.configuration.write_text("\n".join(lines) + f"\n{text}\n")
        self.log = ErrorLog(workdir / "logs/error")
        self.access_path = workdir / "logs/access"

    def _lines(self, defines, modules, ldap, authstatus, threads, cache):
        workdir = self.workdir
        yield f'ServerRoot "{workdir}"'
        names = dict.fromkeys((f"mpm_{self.mpm}", *ALWAYS, *(LDAP if ldap else ()), *modules))
        for name in names:
            if has_module(name):
                yield f'LoadModule {name}_module "{MODULES}/mod_{name}.so"'
        settings = {**self.ports, "WORKDIR": workdir, "DOCS": workdir / "docs", **defines}
        yield from (f'Define {name} "{value}"' for name, value in settings.items())
        if authstatus:
            yield f'LoadModule authstatus_module "{self.module}"'
            if cache:
                yield f"AuthStatusCache {cache}"
        yield from (f"Listen 127.0.0.1:{port}" for port in self.ports.values())
        if os.geteuid() == 0:
            yield from _who_serves()
        yield from ("ServerName localhost", f'DefaultRuntimeDir "{workdir}/run"', f'PidFile "{workdir}/run/pid"',
                    f'ErrorLog "{workdir}/logs/error"', "LogLevel warn", f'ErrorLogFormat "{ErrorLog.FORMAT}"',
                    f"LogFormat \"{ACCESS_FORMAT}\" row", f'CustomLog "{workdir}/logs/access" row',
                    "Timeout 20", "KeepAliveTimeout 60", "MaxKeepAliveRequests 0", "AcceptFilter http none",
                    "TypesConfig /dev/null", "AddType text/html .html",
                    f'DocumentRoot "{workdir}/docs"', f'<Directory "{workdir}/docs">', "Require all granted",
                    "</Directory>")
        yield f'Include "{Path(__file__).parent}/login.conf"'
        if self.mpm == "prefork":
            # Not APR's own choice, which counts processes: a script that is told to stop before it runs is still a child of httpd,
            # and gives back what was counted for its parent, until the mutex is destroyed and httpd ends (AH00144).
            yield from (f'Mutex "fcntl:{workdir}/run" mpm-accept', "StartServers 8", "MinSpareServers 1", "MaxSpareServers 16",
                        "MaxRequestWorkers 16", "ServerLimit 16")
        else:
            yield from ("StartServers 1", "ServerLimit 4", f"ThreadsPerChild {threads}", f"ThreadLimit {threads}",
                        f"MaxRequestWorkers {threads}", "MinSpareThreads 1", f"MaxSpareThreads {threads}")

    def write(self, name, text):
        path = self.workdir / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        # What answers show of a file is the same in every workdir, and the tag of what is negotiated in a folder is a weak one
        # as long as the folder is younger than a second.
        for each in (path, *path.parents):
            if self.workdir not in each.parents:
                break
            os.utime(each, (1600000000, 1600000000))
        if path.suffix == ".cgi":
            path.chmod(0o755)

    # -- life

    def _command(self, *more):
        return [PROGRAM, "-d", str(self.workdir), "-f", str(self.configuration), *more]

    def _environment(self):
        env = environment(self.workdir / "reports")
        if self.preload:
            env["LD_PRELOAD"] = f"{env.get('LD_PRELOAD', '')} {self.preload}".strip()
        return env | self.environment

    def run(self, *options, timeout=60):
        """The subprocess.CompletedProcess of httpd's program, with its configuration and these options, beside the httpd that serves."""
        return subprocess.run(self._command(*options), capture_output=True, text=True, env=self._environment(), timeout=timeout)

    def configtest(self):
        """(code, all output) of `httpd -t`."""
        done = self.run("-t", timeout=180)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        if not MODULE.exists():
            raise RuntimeError(f"{MODULE} is not built")
        self._spawn()
        try:
            self.child.wait_until(lambda: all(map(listens, self.ports.values())), 60, "httpd")
        except RuntimeError as error:
            self.child = None
            logged = self.log.path.read_text(errors="replace") if self.log.path.exists() else ""
            raise RuntimeError(f"{error}\n{logged}") from None
        return self

    def _spawn(self):
        limited = [find_program("prlimit"), *self.limits] if self.limits else []
        self.child = Child([*limited, *self._command("-DFOREGROUND")], self.workdir / "logs/stderr", env=self._environment())

    def must_not_start(self):
        """Returns all output of an httpd that must fail to start."""
        self._spawn()
        # It listens before its modules have had a look at the whole of the configuration.
        poll(lambda: not self.child.alive() or self._generations(), 30, "httpd ended")
        started = self.child.alive()
        code = self.child.stop()
        said = self.child.said()
        if self.log.path.exists():
            said += self.log.path.read_text(errors="replace")
        self.child = None
        assert not started and code != 0, f"httpd started:\n{said}"
        return said

    def reload(self):
        """Graceful; returns when the new generation runs and no child of an older one accepts connections."""
        # A child may answer before its parent has logged that it is up.
        before = poll(self._generations, 30, "httpd is up")
        older, sockets = self.children(), listening_sockets(self.child.pid)
        os.kill(self.child.pid, signal.SIGUSR1)
        poll(lambda: self._generations() > before, 30, "graceful restart")
        poll(lambda: not any(sockets & descriptors(pid) for pid in older), 60, "end of the older generation's listening")

    def _generations(self):
        return self.log.path.exists() and self.log.path.read_bytes().count(b"resuming normal operations")

    def stop(self):
        if self.child:
            child, self.child = self.child, None
            code = child.stop()
            if code:
                raise RuntimeError(f"httpd ended with {code}\n{child.said()}")

    def children(self):
        """Process ids of httpd's children."""
        return children(self.child.pid)

    def resident_memory(self):
        """Octets of private memory of all children."""
        return sum(map(private_memory, self.children()))

    def scoreboard(self):
        """The letters of mod_status, which is at /status."""
        return re.search(r"^Scoreboard: (.*)$", self.get("/status?auto").body.decode(), re.M)[1]

    def cpu_seconds(self):
        """CPU seconds of all children."""
        ticks = 0
        for number in self.children():
            with open(f"/proc/{number}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    # A child of prefork that is told to stop exits within its signal handler, wherever it is: here within malloc or free.
    _exit_within_malloc = re.compile(r"(?P<handlers>.*)in (__GI_)?exit [^\n]*\n([^\n]*/mod_mpm_prefork\.so[^\n]*\n)+"
                                     r"([^\n]*/libc\.so[^\n]*\n)?([^\n]* in __mem[^\n]*\n)?"
                                     r"[^\n]* in (__asan|__sanitizer|__interceptor)", re.DOTALL)

    def _is_own_end(self, report):
        """Is it of an MPM that ends, without a frame of ours? The event MPM closes a worker's socket that is gone when it
        is told to stop, in its main thread."""
        text = report.read_text(errors="replace")
        if exits := self._exit_within_malloc.match(text):
            return "mod_authstatus" not in exits["handlers"]
        return "in apr_os_sock_get" in text and "mod_mpm_event.so" in text and "mod_authstatus" not in text and " T0)" in text

    def problems(self):
        """Returns the problems of this httpd since the last call."""
        reports = sorted((self.workdir / "reports").iterdir())
        for report in reports:
            if report.name.startswith("asan."):
                # The process ends behind the last line of it.
                poll(lambda: not os.path.exists(f"/proc/{report.suffix[1:]}"), 10, f"the end of {report}")
        own = [report for report in reports if self._is_own_end(report)]
        if own:
            self.log.allow("AddressSanitizer:DEADLYSIGNAL")
        for report in own:
            report.rename(self.workdir / "logs" / report.name)
            reports.remove(report)
        problems = self.log.settle() if self.log.path.exists() else []
        for report in reports:
            if APR and "authstatus" not in report.read_text(errors="replace"):
                continue  # of httpd's own pools, with an APR that looks at them more closely than it was written for
            problems.append(f"sanitizer report {report}:\n{report.read_text(errors='replace')[:4000]}")
            report.rename(self.workdir / "logs" / report.name)
        return problems

    # -- requests

    def get(self, path="/", *arguments, port=None, **options):
        return client.get(self.ports[port] if port else self.port, path, *arguments, **options)

    def connection(self, port=None):
        return client.Connection(self.ports[port] if port else self.port)

    def access(self, answer):
        """The access log's line for an answer: httpd writes it after the answer, so it is waited for."""
        prefix = answer.row + "\t"

        def find():
            lines, _ = read_lines(self.access_path)
            return next((Access(*line.split("\t")) for line in lines if line.startswith(prefix)), None)
        return poll(find, 10, f"access log line of {answer}")

    def outcome_lines(self, answer):
        """This module's lines for outcomes, of one request. httpd writes its line of the access log behind all of them."""
        self.access(answer)
        return [line for line in self.log.of(answer.row) if line.module == "authstatus" and tag_of(line) in TAGS]


def open_descriptors(pid):
    """How many a process has; none if it has ended."""
    return len(descriptors(pid))


def private_memory(pid):
    """Octets of private memory of a process."""
    with open(f"/proc/{pid}/smaps_rollup") as maps:
        return sum(int(line.split()[1]) for line in maps if line.startswith("Private_")) * 1024


def tag_of(line):
    """The tag of a line is the first one in it; what follows may quote anything."""
    tag = re.search(r"\bAS\d{4}\b", line.text)
    return tag and tag[0]


def _who_serves():
    """As root, httpd wants someone else to be."""
    import grp
    for user, group in (("www-data", "www-data"), ("apache", "apache"), ("nobody", "nogroup"), ("nobody", "nobody")):
        try:
            pwd.getpwnam(user), grp.getgrnam(group)
        except KeyError:
            continue
        return (f"User {user}", f"Group {group}")
    raise RuntimeError("nobody to serve as")


def environment(reports):
    """What each httpd needs to load the module of this build. reports: the folder of the sanitizers' reports."""
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    if SANITIZE:
        env |= sanitizers(reports)
    if APR:
        env["LD_LIBRARY_PATH"] = APR
    return env


@functools.cache
def _find_sanitizers():
    """The libraries of the compiler, for LD_PRELOAD."""
    compiler = os.environ.get("CC", "gcc").split()[0]
    return " ".join(subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True,
                                   check=True).stdout.strip() for name in ("libasan.so", "libubsan.so"))


def sanitizers(reports):
    """The environment that puts AddressSanitizer and UndefinedBehaviorSanitizer into an httpd built without. Leaks are
    not looked for when a process ends: httpd has unloaded its modules by then, what they left has no name, and
    LeakSanitizer itself falls over that. roundtrips watches memory instead."""
    return {
        "LD_PRELOAD": _find_sanitizers(),
        "ASAN_OPTIONS": f"log_path={reports}/asan:detect_leaks=0:abort_on_error=0:exitcode=99:"
                        "detect_odr_violation=0:handle_segv=2:handle_abort=2",
        "UBSAN_OPTIONS": f"log_path={reports}/ubsan:print_stacktrace=1",
    }
