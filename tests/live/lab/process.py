# SPDX-License-Identifier: Apache-2.0
"""Child processes that never outlive the test run, ports that two runs never share, and waiting with a bound."""
import contextlib
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

_reserved = {}
# What takes a second on a machine that has nothing else to do may take so many on one that is busy.
PATIENCE = 6


class Timeout(Exception):
    pass


def poll(condition, seconds, what):
    """Returns the first true value of condition(); raises after `seconds` of a machine that has nothing else to do."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"{what}: not within {seconds * PATIENCE} s")
        time.sleep(0.01)


def reserve_port():
    """A free port of 127.0.0.1, below the ephemeral range, so that no outgoing connection takes it in the meantime.
    An abstract socket of its name is held as long as this process lives: another test run keeps off it."""
    while True:
        port = random.randint(20000, 31999)
        if port in _reserved:
            continue
        lock = socket.socket(socket.AF_UNIX)
        probe = socket.socket()
        try:
            lock.bind(f"\0authstatus-live-{port}")
            probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        finally:
            probe.close()
        _reserved[port] = lock
        return port


def readable(ends, seconds):
    """Those of the sockets or descriptors that can be read, waiting so long for the first. Not by select(), which knows no
    descriptors from 1,024 on: a long run has more."""
    waiting = select.poll()
    by_number = {end if isinstance(end, int) else end.fileno(): end for end in ends}
    if -1 in by_number:
        raise ValueError("it is closed")
    for number in by_number:
        waiting.register(number, select.POLLIN)
    return [by_number[number] for number, _ in waiting.poll(seconds * 1000)]


def read_lines(path, position=0, end=None):
    """The whole lines of a log between two positions, without their ends, and where they end: of a line that is being written a
    reader may see the first half."""
    with open(path, "rb") as log:
        log.seek(position)
        whole, newline, _ = log.read(-1 if end is None else end - position).rpartition(b"\n")
    return whole.decode("utf-8", "replace").split("\n") if newline else [], position + len(whole + newline)


def find_program(name):
    """A server's program, or one that comes with it."""
    path = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/libexec:/usr/lib/openldap:" + os.environ["PATH"])
    if not path:
        raise RuntimeError(f"{name} is not installed: see build/check for the packages, or leave it out by --without")
    return path


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def descriptors(pid):
    """What the descriptors of a process are ("socket:[4711]"); none of a process that ended, or that we may not look into (another
    user's, and for root without CAP_SYS_PTRACE too)."""
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found.add(os.readlink(f"/proc/{pid}/fd/{number}"))
    return found


def children(pid):
    """Process ids of the children of a process's first thread. Raises for a process that has ended."""
    with open(f"/proc/{pid}/task/{pid}/children") as ids:
        return [int(number) for number in ids.read().split()]


def thread_states(pid):
    """The letters of proc(5) for what its threads do: S, and nothing else, if they wait for something to do."""
    # /proc/PID/task/TID/stat: the state is the first letter behind the name, which is in parentheses.
    states = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as stat:
            states.add(stat.read().rpartition(")")[2].split()[0])
    return states


def listening_sockets(pid):
    """The TCP sockets of a process that accept connections, as descriptors() has them."""
    tables = [path for path in (Path(f"/proc/{pid}/net/tcp"), Path(f"/proc/{pid}/net/tcp6")) if path.exists()]
    fields = [line.split() for path in tables for line in path.read_text().splitlines()[1:]]
    return {f"socket:[{one[9]}]" for one in fields if one[3] == "0A"} & descriptors(pid)


def _die_with_us(command, env):
    """The command and environment of a child that dies with us (PR_SET_PDEATHSIG), even where pytest is killed. By a program:
    for a function between fork and exec, Python copies the tables of all of its memory. What is preloaded is the server's alone."""
    own = dict(env or {})
    library = own.pop("LD_PRELOAD", None)
    preload = ("env", f"LD_PRELOAD={library}") if library else ()
    return [find_program("setpriv"), "--pdeathsig", "TERM", "--", *preload, *command], own if env else env


class Child:
    """A server in the foreground, in a process group of its own."""

    def __init__(self, command, output, env=None, cwd=None):
        self.output = output
        command, env = _die_with_us(command, env)
        with open(output, "ab") as sink:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env, cwd=cwd,
                                            start_new_session=True)
        self.pid = self.process.pid

    def alive(self):
        return self.process.poll() is None

    def said(self):
        with open(self.output, errors="replace") as text:
            return text.read()

    def wait_until(self, condition, seconds, what):
        def settled():
            return condition() or not self.alive()
        poll(settled, seconds, what)
        if not self.alive():
            raise RuntimeError(f"{what}: ended with {self.process.returncode}\n{self.said()}")

    def wait(self, seconds):
        return self.process.wait(seconds * PATIENCE)

    def freeze(self):
        """Stops the process, like a hung server; returns when each of its threads is stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        poll(lambda: thread_states(self.pid) == {"T"}, 10, f"pid {self.pid} stopped")

    def thaw(self):
        os.kill(self.pid, signal.SIGCONT)

    def stop(self, seconds=15):
        """Returns the exit code; a process that does not end on SIGTERM is killed, with its group, which is an error."""
        if self.alive():
            self.process.terminate()
            try:
                self.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self.pid, signal.SIGKILL)
                self.wait(5)
                raise Timeout(f"pid {self.pid} did not end within {seconds * PATIENCE} s of SIGTERM") from None
        return self.process.returncode
