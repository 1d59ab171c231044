#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures whether a clock distinguishes a masked resource from a missing one. Not part of any check.

Asks one httpd, over one kept connection, for a forbidden resource and for a missing one in random order, thousands of
times for each way of being refused that needs no login (the sites of tests/live/masking). Each question is asked twice
and the second time counts, so that what the question before it left behind is its own. Prints medians and the area
under the ROC curve of "this took longer, so it is forbidden": 0.5 cannot be told apart. Its first row compares two
missing resources, and is the noise.

--instructions counts instructions instead, by callgrind: what hidden and missing differ by, steadier than a clock.

usage: AUTHSTATUS_BUILD=... tests/bench/masking.py [--pairs N] [--mpm MPM] [--way TEXT] [--method GET] [--most AUC]
           [--instructions]
"""
import argparse
import importlib.util
import os
import random
import socket
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter_ns

HERE = Path(__file__).resolve().parent
LIVE = HERE.parent / "live"
sys.path[:0] = [str(HERE), str(LIVE)]

from lab.httpd import Httpd  # noqa: E402
from parts import count_instructions  # noqa: E402
from timing import area_under_curve  # noqa: E402


def module_of_the_tests(name):
    """The bench has a sites.py too."""
    spec = importlib.util.spec_from_file_location(f"masking_{name}", LIVE / "masking" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sites = module_of_the_tests("sites")
NOISE = sites.Way("two missing ones", "/nobody/page.html", "nobody", "absent")
HOSTS = ("plain", "all", "heavy")


def asks_nobody(way):
    """A program's own answer takes its own time."""
    return way.login is None and not way.reads and (way.methods is None or "GET" in way.methods)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request):
        """Nanoseconds, and the status. The answers are small, and come in one piece."""
        start = perf_counter_ns()
        self.socket.sendall(request)
        answer = self.socket.recv(65536)
        took = perf_counter_ns() - start
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self.socket.recv(65536)
        return took, int(head[9:12])


def request_for(host, method, path):
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def measure(port, host, method, ways, pairs):
    """{way: (seconds of the forbidden, seconds of the missing)}"""
    times = {way: ([], []) for way in ways}
    asked = [(way, index, request_for(host, method, way.path.replace(way.part, way.twin) if index else way.path))
             for way in ways for index in (0, 1)]
    client, left = Client(port), 0
    for number in range(-20, pairs):
        random.shuffle(asked)
        for way, index, request in asked:
            if left == 0:
                client, left = Client(port), 50000
                client.ask(request)
            left -= 1
            client.ask(request)
            took, status = client.ask(request)
            if status not in (404, 405, 200) or (method == "GET" and status != 404):
                raise RuntimeError(f"{way.name}: {status}")
            if number >= 0:  # the first ones warm up
                times[way][index].append(took)
    return times


COUNTED = 5


def print_instructions(httpd, options, ways):
    """Medians of a few requests behind each other, of the forbidden and of the missing."""
    paths = [path for way in ways for path in (way.path, way.path.replace(way.part, way.twin)) for _ in range(COUNTED)]
    httpd.get("/", host=options.host)  # it has started
    counts = count_instructions(
        httpd, lambda connection, number: connection.request(paths[number], method=options.method, host=options.host), len(paths))
    print(f"{options.method}, instructions{'forbidden':>27}{'missing':>19}{'more':>10}")
    for number, way in enumerate(ways):
        begin = 2 * COUNTED * number
        forbidden, missing = (median(counts[start:start + COUNTED]) for start in (begin, begin + COUNTED))
        print(f"  {way.name:<28}{forbidden:>13,.0f}{missing:>19,.0f}{(forbidden - missing) / missing:>10.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--mpm", default="event")
    parser.add_argument("--host", choices=HOSTS, default="plain")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--way", default="", help="only the ways that have this in their name")
    parser.add_argument("--most", type=float, default=1.0, help="end with 1 where a clock tells more, 0.55 for example")
    parser.add_argument("--instructions", action="store_true", help="count instructions instead of time")
    options = parser.parse_args()
    os.umask(0o022)
    ways = [way for way in sites.WAYS if asks_nobody(way) and options.way in way.name]
    with tempfile.TemporaryDirectory(prefix="authstatus-bench-") as name:
        workdir = Path(name)
        workdir.chmod(0o755)
        lines = "\n".join(sites.configuration()) + "\nLogLevel warn\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\n"
        httpd = Httpd(workdir, lines, mpm=options.mpm, modules=sites.modules_for(options.mpm), files=sites.FILES,
                      listen=("HTTP", "BACK"))
        sites.furnish(httpd)
        httpd.start()
        try:
            if options.instructions:
                return print_instructions(httpd, options, [NOISE, *ways])
            times = measure(httpd.port, options.host, options.method, [NOISE, *ways], options.pairs)
        finally:
            httpd.stop()
    print(f"{options.mpm}, {options.method}, {options.pairs} pairs{'forbidden':>21}{'missing':>16}"
          f"{'area under the curve':>24}")
    worst = 0.5
    for way, (forbidden, missing) in times.items():
        area = area_under_curve(forbidden, missing)
        worst = max(worst, area, 1 - area)
        print(f"  {way.name:<28}{median(forbidden) / 1000:>13.1f} us{median(missing) / 1000:>13.1f} us{area:>24.3f}")
    return worst > options.most


if __name__ == "__main__":
    sys.exit(main())
