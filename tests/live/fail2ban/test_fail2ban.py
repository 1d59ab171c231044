# SPDX-License-Identifier: Apache-2.0
"""fail2ban's own filter, over the error log of a real httpd in httpd's own format: who guesses passwords is counted, and
nobody else is. A directory that is down must not ban a whole company."""
import re
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from lab.fake import Fake, answer, hang
from lab.httpd import ErrorLog
from lab.outcomes import SOURCE
from lab.process import reserve_port
from lab.slapd import Database

HERE = Path(__file__).parent
RIGHT, WRONG = "Pw!right", "Pw!wrong"
PROGRAM = shutil.which("fail2ban-regex")
LINE = re.compile(r"\bAS\d{4}: ")

Row = namedtuple("Row", "place user password status counts")

ROWS = [
    # A guess
    Row("loud", "good", WRONG, 401, 1),
    Row("loud", "nobody", RIGHT, 401, 1),
    Row("always", "good", WRONG, 401, 1),
    Row("masked", "good", WRONG, 404, 1),
    Row("off", "good", WRONG, 401, 1),
    Row("off", "nobody", WRONG, 401, 1),
    # Nobody's guess
    Row("loud", "good", RIGHT, 200, 0),
    Row("loud", "expiring", RIGHT, 200, 0),
    Row("loud", "expired", RIGHT, 403, 0),
    Row("loud", "must-change", RIGHT, 403, 0),
    Row("loud", "locked", RIGHT, 401, 0),
    Row("always", "locked", RIGHT, 403, 0),
    Row("masked", "expired", RIGHT, 404, 0),
    # Nobody's fault but the administrator's
    Row("down", "good", RIGHT, 503, 0),
    Row("hung", "ann", RIGHT, 503, 0),
    Row("busy", "ann", RIGHT, 503, 0),
    Row("no-base", "good", RIGHT, 500, 0),
    Row("service", "good", RIGHT, 500, 0),
    Row("tls", "ann", RIGHT, 500, 0),
    Row("off-down", "good", RIGHT, 500, 0),
    # What somebody types must not look like a line of httpd's
    Row("down", "user nobody not found: /", RIGHT, 503, 0),
    Row("always", 'x] [client 192.0.2.1] AH01617 user y', RIGHT, 401, 1),
]


@pytest.fixture(scope="module")
def site(start, start_slapd, good_certificate):
    assert PROGRAM, "fail2ban is not installed"
    slapd = start_slapd(Database("o=loud", HERE.parent / "outcomes/people.ldif", ("ppolicy_use_lockout",)))
    fakes = {"HUNG": Fake({"search": hang}), "BUSY": Fake({"search": answer(51, "busy")}),
             "TLS": Fake(certificate=good_certificate, ldaps=True)}
    httpd = start.make(HERE / "site.conf", defines={"LDAP": slapd.port, "NOBODY": reserve_port(),
                                                    **{name: fake.port for name, fake in fakes.items()}})
    # httpd's own format is the one that the filter knows.
    text = httpd.configuration.read_text()
    assert ErrorLog.FORMAT in text
    httpd.configuration.write_text("\n".join(line for line in text.splitlines() if not line.startswith("ErrorLogFormat")) + "\n")
    httpd.start()
    yield httpd
    for fake in fakes.values():
        fake.stop()


def matched(path, *ignore):
    """The lines that the filter counts."""
    done = subprocess.run([PROGRAM, "--print-all-matched", str(path), "apache-auth", *ignore], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    count = int(re.search(r"^Lines: .* (\d+) matched", done.stdout, re.MULTILINE)[1])
    section = done.stdout.partition("Matched line(s):")[2].partition("\n`-")[0]
    lines = re.findall(r"^\|  (\[.*\d{4}\] .*)$", section, re.MULTILINE)
    assert len(lines) == count, done.stdout
    return lines


JAIL = dict(re.findall(r"^(\w+) *= (.*)$", (SOURCE / "docs/fail2ban/authstatus.conf").read_text(), re.MULTILINE))


def test_who_guesses_at_one_account_is_banned(site, workdirs):
    """Jail and throttle fit each other: before the throttle silences him there are lines enough."""
    site.log.allow(".")
    begin = site.log.size()
    statuses = [site.get("/in/throttled", login=("good", f"{WRONG}{number}")).status for number in range(20)]
    assert statuses == [401] * 4 + [429] * 16
    part = workdirs.new("log") / "error.log"
    part.write_bytes(site.log.path.read_bytes()[begin:])
    assert len(matched(part)) >= int(JAIL["maxretry"])


def test_jail_and_manual_fit_each_other():
    """Each throttle that the manual shows lets through as many failures as the jail waits for."""
    texts = [path.read_text() for path in (SOURCE / "README", *(SOURCE / "docs").glob("*.md"))]
    shown = [int(number) for text in texts for number in re.findall(r"^ *(?:Example: *)?AuthStatusThrottle (\d+) ", text, re.MULTILINE)]
    assert len(shown) >= 4 and min(shown) >= int(JAIL["maxretry"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.place}-{row.user[:12]}-{row.status}".replace("/", "-"))
def test_row(site, workdirs, row):
    site.log.allow(".")
    begin = site.log.size()
    assert site.get(f"/in/{row.place}", login=(row.user, row.password)).status == row.status
    part = workdirs.new("log") / "error.log"
    part.write_bytes(site.log.path.read_bytes()[begin:])
    lines = matched(part)
    assert len(lines) == row.counts, part.read_text()
    assert all("AH0161" in line and "[client 127.0.0.1" in line for line in lines)


def test_not_authorized(site, workdirs):
    """httpd's own line for who is signed in and may not enter (AH01631 of mod_authz_core) matches the filter, whichever module
    checked the password. The example jail leaves it out, and no guess with it."""
    site.log.allow(".")
    begin = site.log.size()
    assert site.get("/in/other", login=("good", RIGHT)).status == 403
    assert site.get("/in/other", login=("nobody", RIGHT)).status == 401
    assert site.get("/in/other", login=("good", WRONG)).status == 401
    assert site.get("/in/other", login=('a authorization failure for "', WRONG)).status == 401
    part = workdirs.new("log") / "error.log"
    part.write_bytes(site.log.path.read_bytes()[begin:])
    assert len(matched(part)) == 4
    ignore = re.search(r"^ignoreregex = (.*)$", (SOURCE / "docs/fail2ban/authstatus.conf").read_text(), re.MULTILINE)[1]
    lines = matched(part, ignore)
    assert len(lines) == 3 and not any("AH01631" in line for line in lines)


def test_no_line_of_ours(site, workdirs):
    """Of all that the rows above brought about, at the highest LogLevel."""
    site.log.allow(".")
    path = workdirs.new("log") / "ours.log"
    ours = [line for line in site.log.path.read_text(errors="replace").splitlines() if LINE.search(line) and "[authstatus:" in line]
    assert len({LINE.search(line)[0] for line in ours}) >= 12, ours
    path.write_text("\n".join(ours) + "\n")
    assert matched(path) == []


def test_the_example_jail(workdirs):
    """It is a jail that fail2ban takes, with the filter that is tested above."""
    workdir = workdirs.new("fail2ban")
    shutil.copytree("/etc/fail2ban", workdir / "etc")
    shutil.copy(SOURCE / "docs/fail2ban/authstatus.conf", workdir / "etc/jail.d/authstatus.conf")
    (workdir / "etc/jail.d/defaults-debian.conf").unlink(missing_ok=True)
    (workdir / "error.log").write_text("")
    jail = workdir / "etc/jail.d/authstatus.conf"
    jail.write_text(jail.read_text().replace("/var/log/apache2/*error.log", str(workdir / "error.log")))
    done = subprocess.run(["fail2ban-client", "-c", str(workdir / "etc"), "-d"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "['add', 'apache-auth'" in done.stdout
    assert f"['set', 'apache-auth', 'maxretry', {JAIL['maxretry']}]" in done.stdout
    assert "authorization failure for" in done.stdout
