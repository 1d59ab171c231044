# SPDX-License-Identifier: Apache-2.0
"""Mistakes in what is said of cache, throttle, limits and breaker stop the start-up with a sentence."""
import os
import re
from collections import namedtuple

import pytest

from lab.stores import key_file
from memory.shared import SHMCB

Row = namedtuple("Row", "line words", defaults=((),))

MISTAKES = [
    Row("AuthStatusCache nonsense", ("nonsense", "Off", "shmcb")),
    Row("AuthStatusCache redis:127.0.0.1:1", ("redis", "mod_socache_", "shmcb")),  # which is not loaded
    Row("AuthStatusCache shmcb:run/cache(5)", ("shmcb",)),
    Row("AuthStatusCache shmcb off"),
    Row("AuthStatusCacheTime"),
    Row("AuthStatusCacheTime soon", ("soon",)),
    Row("AuthStatusCacheTime -1", ("-1",)),
    Row("AuthStatusCacheTime 60s later", ("later",)),
    Row("AuthStatusCacheTime 60parsecs", ("60parsecs",)),
    Row("AuthStatusCacheTime 25h", ("25h", "24h")),
    Row("AuthStatusCacheTime 99999999999999999999s"),
    Row("AuthStatusCacheTime 60s 30s 10s", ("10s", "stale=time")),
    Row("AuthStatusCacheTime stale=10min", ("stale=10min",)),
    Row("AuthStatusCacheTime 60s 30s stale=", ("24h",)),
    Row("AuthStatusCacheTime 60s stale=soon", ("soon", "ms, s, min or h")),
    Row("AuthStatusCacheTime 60s 30s stale=25h", ("25h", "24h")),
    Row("AuthStatusCacheTime 60s stale=1s 30s", ("30s", "stale=time")),
    Row("AuthStatusCacheTime 60s stale=1s stale=2s", ("stale=2s",)),
    Row("AuthStatusCacheTime 60s 30s stale=-1s", ("-1s",)),
    Row("AuthStatusCacheTime 60s stael=10min", ("stael=10min",)),
    Row("AuthStatusThrottle"),
    Row("AuthStatusThrottle 4", ("Off", "User", "Client", "Both")),
    Row("AuthStatusThrottle On", ("Off",)),
    Row("AuthStatusThrottle Off 5min"),
    Row("AuthStatusThrottle 0 5min", ("0",)),
    Row("AuthStatusThrottle 65 5min", ("65", "64")),
    Row("AuthStatusThrottle -4 5min", ("-4",)),
    Row("AuthStatusThrottle four 5min", ("four",)),
    Row("AuthStatusThrottle 4 0", ("0",)),
    Row("AuthStatusThrottle 4 500ms", ("500ms",)),
    Row("AuthStatusThrottle 4 never", ("never",)),
    Row("AuthStatusThrottle 4 5min Everybody", ("Everybody", "User", "Client", "Both")),
    Row("AuthStatusInFlight 0", ("0",)),
    Row("AuthStatusInFlight -1", ("-1",)),
    Row("AuthStatusInFlight many", ("many",)),
    Row("AuthStatusBreaker 5"),
    Row("AuthStatusBreaker 0 10s", ("0",)),
    Row("AuthStatusBreaker Off 10s", ("Off",)),
    Row("AuthStatusBreaker 5 0", ("0",)),
    Row("AuthStatusBreaker 5 soon", ("soon",)),
]


def must_not_pass(httpd, directive, words=()):
    """The configuration is not even read to its end."""
    code, said = httpd.configtest()
    assert code != 0, said
    must_say(said, directive, words)


def must_not_start(httpd, directive, words=()):
    """What is found wrong when the whole of it is known."""
    said = httpd.must_not_start()
    httpd.log.allow(".")
    must_say(said, directive, words)


def must_say(said, directive, words):
    sentence = "\n".join(line for line in said.splitlines() if directive in line and "Syntax error" not in line)
    assert sentence, f"nothing about {directive} in:\n{said}"
    for word in words:
        assert word in sentence, f"{word} is not in:\n{sentence}"


@pytest.mark.parametrize("row", MISTAKES, ids=[re.sub(r"[^\w.-]+", "-", row.line).strip("-") for row in MISTAKES])
def test_mistake(start, row):
    must_not_pass(start.make(row.line, cache=None, modules=SHMCB["modules"]), row.line.split()[0], row.words)


KEYS = [
    ("empty", {"octets": 0}, ("32",)),
    ("short", {"octets": 31}, ("32",)),
    ("long", {"octets": 5000}, ("4095",)),
    ("readable-by-group", {"mode": 0o440}, ("readable by others",)),
    ("readable-by-others", {"mode": 0o404}, ("readable by others",)),
    ("writable-by-group", {"mode": 0o420}, ()),
    ("writable-by-others", {"mode": 0o402}, ()),
    ("executable-by-others", {"mode": 0o401}, ()),
]


@pytest.mark.parametrize("name, options, words", KEYS, ids=[row[0] for row in KEYS])
def test_key_file(start, workdirs, name, options, words):
    path = key_file(workdirs.new("key"), **options)
    must_not_pass(start.make(f'AuthStatusCacheKey "{path}"', cache=None), "AuthStatusCacheKey", (str(path), *words))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_key_file_of_somebody_else(start, workdirs):
    path = key_file(workdirs.new("key"))
    os.chown(path, 65534, -1)
    must_not_pass(start.make(f'AuthStatusCacheKey "{path}"', cache=None), "AuthStatusCacheKey", (str(path), "owner root"))


@pytest.mark.parametrize("path", ["/nonexistent/key", "/tmp", "/dev/zero"])
def test_key_that_is_no_file(start, path):
    must_not_pass(start.make(f"AuthStatusCacheKey {path}", cache=None), "AuthStatusCacheKey", (path,))


@pytest.mark.parametrize("line", ["AuthStatusCache Off", "AuthStatusCacheTime 1s", "AuthStatusInFlight 1",
                                  "AuthStatusBreaker 1 1s", "AuthStatusCacheKey /etc/passwd"])
@pytest.mark.parametrize("where", ["<VirtualHost *>\n{}\n</VirtualHost>", "<Location /x>\n{}\n</Location>"],
                         ids=["host", "location"])
def test_of_the_whole_server(start, where, line):
    must_not_pass(start.make(where.format(line), cache=None), line.split()[0])


def test_htaccess_must_not_loosen(start):
    lines = ["AuthStatusThrottle Off", "AuthStatusThrottle 64 1s", "AuthStatusCacheTime 24h"]
    files = {f"{number}/.htaccess": line for number, line in enumerate(lines)}
    files |= {f"{number}/index.html": "secret\n" for number in range(len(lines))}
    httpd = start('<Directory "${DOCS}">\nAllowOverride All\n</Directory>', files=files, **SHMCB)
    for number, line in enumerate(lines):
        httpd.log.expect(rf"{line.split()[0]} not allowed")
        answer = httpd.get(f"/{number}/")
        assert answer.status == 500 and b"secret" not in answer.body


WELL = [
    "",
    "AuthStatusCache shmcb",
    'AuthStatusCache "shmcb:run/cache(512000)"',
    "AuthStatusCache off",
    "AuthStatusCacheTime 0 0\nAuthStatusCacheTime 24h 24h",
    "AuthStatusCacheTime 1500ms",
    "AuthStatusCacheTime 60s stale=10min",
    "AuthStatusCacheTime 60s 30s Stale=0",
    "AuthStatusCacheTime 0 0 stale=24h",
    "AuthStatusThrottle 4 5min\nAuthStatusThrottle off",
    "AuthStatusThrottle 1 1s Client\n<Location /x>\nAuthStatusThrottle 64 24h both\n</Location>",
    "<VirtualHost *>\nAuthStatusThrottle 4 5min user\n</VirtualHost>",
    "AuthStatusCache Off\nAuthStatusThrottle Off",
    "AuthStatusCache Off\nAuthStatusThrottle 4 5min",
    "AuthStatusInFlight 1\nAuthStatusBreaker 1 10ms",
]


@pytest.mark.parametrize("text", WELL, ids=range(len(WELL)))
def test_well(start, text):
    code, said = start.make(text, cache=None, modules=SHMCB["modules"]).configtest()
    assert code == 0 and "Syntax OK" in said, said


def test_key_file_is_well(start, workdirs):
    for octets, mode in ((32, 0o400), (4095, 0o600)):
        path = key_file(workdirs.new("key"), octets=octets, mode=mode)
        code, said = start.make(f'AuthStatusCacheKey "{path}"', cache=None).configtest()
        assert code == 0 and "Syntax OK" in said, said
