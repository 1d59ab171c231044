# SPDX-License-Identifier: Apache-2.0
"""The options of build/check: each does what it says, and the live tests understand what it hands on. What is interrupted ends."""
import os
import signal
import subprocess
import sys

import pytest

from lab.optional import OPTIONAL
from lab.outcomes import SOURCE
from lab.process import poll

# Option and its argument, stages that it leaves out, servers that the live tests leave out.
ROWS = [
    ("", set(), set()),
    ("--without live", {"live tests", "live tests, sanitized"}, set()),
    ("--without samba", set(), {"samba"}),
    ("--without 389ds", set(), {"389ds"}),
    ("--without browser", set(), {"browser"}),
    ("--without browser --without samba", set(), {"browser", "samba"}),
    ("--without sanitizers", {"sanitizer build", "unit tests, sanitized", "live tests, sanitized"}, set()),
    ("--without clang", {"clang"}, set()),
    ("--without distcheck", {"distcheck"}, set()),
    ("--without cppcheck", {"cppcheck"}, set()),
    ("--without format", {"format"}, set()),
    ("--without shellcheck", {"shellcheck"}, set()),
    ("--without debian13", set(), set()),
    ("--quick", {"sanitizer build", "unit tests, sanitized", "live tests, sanitized", "clang", "distcheck", "cppcheck", "format", "shellcheck"}, set(OPTIONAL)),
]
EVERY_STAGE = {"autoreconf", "gcc build", "hardening", "unit tests", "live tests", "sanitizer build", "unit tests, sanitized",
               "live tests, sanitized", "clang", "distcheck", "cppcheck", "format", "shellcheck"}


def plan(*options):
    return subprocess.run(["bash", SOURCE / "build/check", "--plan", *options], capture_output=True, text=True,
                          timeout=300, check=False)


@pytest.mark.parametrize("options,stages,servers", ROWS, ids=[row[0] or "none" for row in ROWS])
def test_option(options, stages, servers):
    done = plan(*options.split())
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    left = {line.removeprefix("stage: ") for line in lines if line.startswith("stage: ")}
    assert left == EVERY_STAGE - stages
    assert lines[-1] == "AUTHSTATUS_WITHOUT=" + " ".join(name for name in OPTIONAL if name in servers)


# What --thorough has besides; in a Debian 13 where that is wanted.
THOROUGH = {"instructions", "coverage", "reproducible", "valgrind", "tidy"}


@pytest.mark.parametrize("options,stages", [("", {"Debian 13"}), ("--without debian13", set())], ids=["all", "without"])
def test_thorough(options, stages):
    done = plan("--thorough", *options.split())
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("stage: ") for line in done.stdout.splitlines() if line.startswith("stage: ")]
    assert set(lines) == EVERY_STAGE | THOROUGH | stages


@pytest.mark.parametrize("options", ["--without nothing", "--without", "--quickly"])
def test_unknown_option(options):
    done = plan(*options.split())
    assert done.returncode == 2 and "usage: build/check" in done.stderr


@pytest.mark.parametrize("words", ["", *OPTIONAL, " ".join(OPTIONAL)])
def test_live_tests_take_what_is_left_out(words):
    """Collects the whole suite, as a run with that option would."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"],
                          cwd=SOURCE / "tests/live", env={**os.environ, "AUTHSTATUS_WITHOUT": words},
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_live_tests_refuse_an_unknown_name():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"],
                          cwd=SOURCE / "tests/live", env={**os.environ, "AUTHSTATUS_WITHOUT": "nothing"},
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode != 0 and "--without nothing: it is one of samba, 389ds, browser" in done.stdout + done.stderr


# In place of the tools of the stages: the first fails, the second ends as usual when it is interrupted, the third must not run.
TOOLS = {
    "autoreconf": "exit 1",
    "shellcheck": 'trap "exit 0" INT; : >"$WORKDIR/started"; while :; do sleep 0.1; done',
    "clang-format": ': >"$WORKDIR/went-on"',
    "dpkg-query": "grep -oE '[a-z0-9.+-]+' build/check | sed 's/.*/installed,&,/'",
}


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_interrupted(tmp_path, name):
    """What an interrupted run has started ends, no stage follows, and nothing is left behind."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "work").mkdir()
    for tool, script in TOOLS.items():
        (tmp_path / "bin" / tool).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / "bin" / tool).chmod(0o755)
    run = subprocess.Popen(["bash", "build/check", "--without", "sanitizers", "--without", "live"], cwd=SOURCE, start_new_session=True,
                           env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "work"),
                                "WORKDIR": str(tmp_path)},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           # A shell has its background jobs ignore SIGINT, and no shell below can trap it then.
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        poll(lambda: (tmp_path / "started").exists() or run.poll() is not None, 300, "the stage has not begun")
        run.send_signal(signal.Signals[name])
        # What holds the pipe is a process that was started.
        said, _ = run.communicate(timeout=300)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == 128 + signal.Signals[name], said
    assert not (tmp_path / "went-on").exists(), said
    assert list((tmp_path / "work").iterdir()) == []
