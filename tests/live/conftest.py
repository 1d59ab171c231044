# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the live tests. Servers live as long as a test module; what a test finds in their logs is its own."""
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from lab import optional, tls
from lab.httpd import BUILD, MODULE, MPMS, PROGRAM, SANITIZE, Httpd, has_module
from lab.slapd import Slapd

_httpds = []


def pytest_addoption(parser):
    parser.addoption("--mpm", choices=MPMS, default="event", help="the MPM of tests that do not name theirs")
    parser.addoption("--long", action="store_true", help="with the rows that take long: faults of memory for each MPM")
    parser.addoption("--without", action="append", default=[], choices=optional.OPTIONAL,
                     help="leave out the tests with this server; also in AUTHSTATUS_WITHOUT")
    parser.addoption("--keep-workdirs", action="store_true", help="leave configurations and logs behind, and say where")


def pytest_configure(config):
    optional.leave_out(config.getoption("without"))
    optional.leave_out_of_environment()


def pytest_sessionstart():
    if not MODULE.exists():
        pytest.exit(f"{MODULE} is not there: build first, and set AUTHSTATUS_BUILD", returncode=4)


class Workdirs:
    """Directories of servers. Not pytest's tmp_path: httpd's children are somebody else and must get in."""

    def __init__(self):
        self.top = Path(tempfile.mkdtemp(prefix="authstatus-live-"))
        self.top.chmod(0o755)
        self.count = 0

    def new(self, name):
        self.count += 1
        workdir = self.top / f"{self.count:03}-{name}"
        workdir.mkdir(mode=0o755)
        workdir.chmod(0o755)
        return workdir


@pytest.fixture(scope="session")
def workdirs(request):
    os.umask(0o022)
    workdirs = Workdirs()
    yield workdirs
    if request.config.getoption("--keep-workdirs"):
        print(f"\nworkdirs are kept: {workdirs.top}")
    else:
        shutil.rmtree(workdirs.top, ignore_errors=True)


@pytest.fixture(scope="session")
def mpm(request):
    return request.config.getoption("--mpm")


@pytest.fixture(scope="session")
def authority(workdirs):
    """The certificate authority that httpd trusts."""
    return tls.Authority(workdirs.new("ca"), "authority")


@pytest.fixture(scope="session")
def good_certificate(authority):
    return authority.issue("good")


@pytest.fixture(scope="module")
def start(request, workdirs, mpm):
    """Starts an httpd that lasts as long as the test module: start(conf, defines=..., modules=...)."""
    started = []

    def start_one(conf, **options):
        httpd = make_one(conf, **options)
        httpd.start()
        return httpd

    def make_one(conf, mpm=mpm, **options):
        httpd = Httpd(workdirs.new("httpd"), conf, mpm=mpm, **options)
        started.append(httpd)
        _httpds.append(httpd)
        return httpd

    start_one.make = make_one
    yield start_one
    problems = []
    for httpd in started:
        httpd.stop()
        problems += httpd.problems()
        _httpds.remove(httpd)
    assert not problems, "at the end of an httpd:\n" + "\n".join(problems)


@pytest.fixture(scope="module")
def start_slapd(workdirs):
    """Starts a slapd that lasts as long as the test module: start_slapd(Database(...), ..., tls=..., authority=...)."""
    started = []

    def start_one(*databases, **options):
        started.append(Slapd(workdirs.new("slapd"), databases, **options))
        return started[-1].start()

    yield start_one
    for slapd in started:
        slapd.stop()


def problems_of_logs():
    return "\n".join(problem for httpd in _httpds for problem in httpd.problems())


# Two hooks: where a wrapper of the old style raises pytest 9 warns, and pytest 7 knows no other style.
@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Adds the logs' lines to the report of a test that failed."""
    for httpd in _httpds:
        httpd.before = httpd.log.position
    outcome = yield
    if outcome.excinfo is not None:
        pyfuncitem.add_report_section("call", "logs", problems_of_logs())


@pytest.hookimpl(trylast=True)
def pytest_runtest_call():
    """Behind each test that passed, in its own call: an unannounced line in a log, or a sanitizer's report, fails it."""
    problems = problems_of_logs()
    assert not problems, problems


def pytest_report_header(config):
    return f"httpd: {PROGRAM}, build: {BUILD}, mpm: {config.getoption('--mpm')}, sanitizers: {SANITIZE}"


@pytest.fixture(scope="session")
def needs_module():
    """Skips, by name, what an httpd without an optional module cannot show."""
    def check(*names):
        missing = [name for name in names if not has_module(name)]
        if missing:
            pytest.skip(f"this httpd has no {', '.join(f'mod_{name}' for name in missing)}")
    return check
