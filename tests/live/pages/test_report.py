# SPDX-License-Identifier: Apache-2.0
"""The report page: who sees it, what it counts, and its three forms; the same figures in mod_status."""
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from lab import client
from lab.fake import Fake
from lab.outcomes import OUTCOMES, SOURCE
from lab.process import poll

RIGHT, WRONG = "Pw!right", "Pw!wrong"
FORMS = {"/report": "text/html; charset=utf-8", "/report?json": "application/json",
         "/report?metrics": "text/plain; version=0.0.4; charset=utf-8",
         "/report?metrics=": "text/plain; version=0.0.4; charset=utf-8"}


def figures(site, **options):
    return json.loads(site.get("/report?json", **options).body)


def counts(site):
    return {name: outcome["count"] for name, outcome in figures(site)["outcomes"].items()}


# -- who sees it ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", ["/report/open", "/report/open?json", "/report/open?metrics"])
def test_is_not_shown_to_everybody(site, path):
    site.log.expect("AS0090")
    answer = site.get(path)
    assert answer.status == 403 and b"wrong-password" not in answer.body


def test_is_shown_where_an_address_or_a_login_is_required(site):
    site.log.allow("AH01617")
    before = counts(site)
    assert site.get("/report/address").status == 200
    assert site.get("/report/login").status == 401
    assert site.get("/report/login", login=("boss", WRONG)).status == 401
    assert site.get("/report/login", login=("boss", RIGHT)).status == 200
    after = counts(site)
    # The stranger that Require is asked about is nobody's outcome.
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "no-credentials": 1, "wrong-password": 1, "granted": 1}


def test_nobody_who_is_let_in_is_enough(site):
    site.log.expect("AS0030", "AH01631")
    assert site.get("/report/login", login=("good", RIGHT)).status == 403


@pytest.mark.parametrize("conf, warns", [
    ("", True),
    ("Require all granted", True),
    ("Require valid-user", False),
    ("Require ip 10.0.0.0/8", False),
    ("<RequireAny>\nRequire local\nRequire ip 10.0.0.1\n</RequireAny>", False),
    ("<RequireAll>\nRequire all granted\nRequire local\n</RequireAll>", False),
    ("Require all denied", False),
])
def test_start_up_warns(start, conf, warns):
    httpd = start.make(f"<Location /figures>\nSetHandler authstatus-report\nAuthType Basic\nAuthName x\n"
                       f"AuthUserFile /dev/null\n{conf}\n</Location>")
    if warns:
        httpd.log.expect('AS0091.*<Location /figures>.*httpd.conf:')
    httpd.start()
    assert httpd.get("/").status == 200  # all of the start-up is over
    assert ("AS0091" in httpd.log.path.read_text()) == warns


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods(site, method):
    answer = site.get("/report", method=method, body="x")
    assert answer.status == 405 and set(answer.header("Allow").split(",")) == {"GET", "HEAD", "TRACE"}


# -- its three forms --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", FORMS)
def test_form(site, path):
    with site.connection() as connection:
        answer = connection.request(path)
        head = connection.request(path, method="HEAD")
        assert connection.request("/").body == b"the page\n"
    assert answer.status == head.status == 200 and head.body == b"" and answer.body
    for one in (answer, head):
        assert one.header("Content-Type") == FORMS[path]
        assert one.header("Cache-Control") == "no-store"
        assert one.header("Content-Length")
    second = client.get_h2(site.port, path)
    assert second.status == 200 and second.header("content-type") == FORMS[path]


@pytest.mark.parametrize("path", FORMS)
def test_names_no_user(site, path):
    site.log.allow("AH0161[78]", "AS00")
    for user in ("good", "a-stranger-to-all"):
        site.get("/in/body", login=(user, WRONG))
    body = site.get(path).body.decode()
    for word in ("a-stranger", "uid=", "o=pages", "cn=service", "Pw!"):
        assert word not in body


class Page(HTMLParser):
    """Every element is closed, in its order; headings, tables and links are kept."""
    EMPTY = ("meta", "br", "hr", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.ids = [], [], set()
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)
        self.ids |= {value for name, value in attributes if name == "id"}

    def handle_startendtag(self, tag, attributes):
        """As in SVG."""
        assert tag == "path"
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html(site):
    page = Page(site.get("/report").body.decode())
    tags = [tag for tag, _ in page.seen]
    assert dict(page.seen[0][1]) == {"lang": "en"} and "title" in tags and "main" in tags and tags.count("h1") == 1
    assert "script" not in tags and "img" not in tags
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in [of for tag, of in page.seen if tag == "meta"]
    assert all("scope" in of for tag, of in page.seen if tag == "th")
    assert all(of["aria-labelledby"] in page.ids for tag, of in page.seen if tag == "table")
    assert {of["href"] for tag, of in page.seen if tag == "a"} == {"?json", "?metrics", "?refresh=30"}
    assert all(of["aria-label"] and of["role"] == "img" for tag, of in page.seen if tag == "svg")


def test_all_outcomes_are_there(site):
    html, metrics = site.get("/report").body.decode(), site.get("/report?metrics").body.decode()
    report = figures(site)
    assert set(report["outcomes"]) == set(OUTCOMES)
    for name in OUTCOMES:
        assert f">{name}</th>" in html
        assert re.search(rf'^authstatus_outcomes_total\{{class="[a-z]+",outcome="{name}"\}} \d+$', metrics, re.M)
    assert abs(report["now"] - report["since"]) < 3600 and 0 <= report["lately_seconds"] <= 300


def test_promtool(site):
    tool = shutil.which("promtool")
    assert tool, "promtool is not installed (Debian: prometheus)"
    site.log.allow("AS00")
    site.get("/in/down", login=("good", RIGHT))
    done = subprocess.run([tool, "check", "metrics"], input=site.get("/report?metrics").body, capture_output=True)
    assert done.returncode == 0 and not done.stderr and not done.stdout, done


def metric_names(text):
    return set(re.findall(r"authstatus_[a-z_]+", text))


def test_manual_and_dashboard_know_the_metrics(site, tmp_path):
    """Both ways; and Prometheus takes the manual's job and rules."""
    docs = SOURCE / "docs"
    # Some are of a server that was queried.
    assert site.get("/in/body", login=("good", RIGHT)).status == 200
    served = set(re.findall(r"^# TYPE (\S+)", site.get("/report?metrics").body.decode(), re.M))
    assert len(served) >= 11 and metric_names((docs / "monitoring.md").read_text()) == served
    dashboard = (docs / "grafana-dashboard.json").read_text()
    expressions = [target["expr"] for panel in json.loads(dashboard)["panels"] for target in panel["targets"]]
    assert len(expressions) >= 10 and all(metric_names(expression) for expression in expressions)
    assert metric_names(dashboard) <= served
    # Labels too, and the values of those that have a fixed list of them; `instance` is Prometheus' own.
    labels = {"instance": None}
    for name, value in re.findall(r'[{,](\w+)="([^"]*)"', site.get("/report?metrics").body.decode()):
        labels.setdefault(name, set()).add(value)
    used = [pair for expression in expressions for pair in re.findall(r'[{,]\s*(\w+)(?:=~|!=|=)"([^"]*)"', expression)]
    legends = re.findall(r"{{(\w+)}}", dashboard)
    assert len(used) >= 10 and legends and {name for name, _ in used} | set(legends) <= set(labels)
    assert {value for name, value in used if name in ("class", "outcome")} <= labels["class"] | labels["outcome"]
    manual = [line[4:] for line in (docs / "monitoring.md").read_text().splitlines() if line.startswith("    ")]
    rules = manual[manual.index("groups:"):]
    rules += ["  - name: dashboard", "    rules:"]
    for number, expression in enumerate(expressions):
        rules += [f"      - record: dashboard:{number}",
                  f"        expr: {json.dumps(expression.replace('$instance', '.*'))}"]
    job = manual[manual.index("scrape_configs:"):manual.index("groups:")]
    for what, lines in (("rules", rules), ("config", job)):
        (tmp_path / what).write_text("\n".join(lines) + "\n")
        done = subprocess.run([shutil.which("promtool"), "check", what, tmp_path / what], capture_output=True, text=True)
        assert done.returncode == 0, done


def test_manual_knows_the_members_of_json(site):
    """Both ways: what its table names is there, and names of members that are not data are in it."""
    site.log.allow("AH0161[78]", "AS00")
    site.get("/in/body", login=("good", WRONG + "j"))
    found, section = figures(site), (SOURCE / "docs/monitoring.md").read_text().split("## JSON\n")[1].split("\n## ")[0]
    rows = "".join(line for line in section.splitlines() if line.startswith("| `"))
    hour = found["series"]["hour"]
    members = [found, found["outcomes"]["granted"], found["servers"][0], found["series"], hour, next(iter(hour["servers"].values()))]
    assert set(re.findall(r"`(\w+)`", rows)) - {"authstatus_", "_total"} == {name for one in members for name in one}
    metrics = site.get("/report?metrics").body.decode()
    assert all(f"# TYPE authstatus_{name}_total counter\n" in metrics for name in found["counters"])


# -- what it counts ---------------------------------------------------------------------------------------------------

def test_counts(site):
    site.log.allow("AH0161[78]", "AS00")
    before, earlier = counts(site), figures(site)["counters"]
    for login in (("good", WRONG + "c"), ("nobody-c", RIGHT), ("must-change", RIGHT), ("good", RIGHT), ("good", RIGHT)):
        site.get("/in/body", login=login)
    report = figures(site)
    after, later = counts(site), report["counters"]
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"wrong-password": 1, "unknown-user": 1, "password-must-change": 1, "granted": 2}
    assert later["cache_hits"] - earlier["cache_hits"] >= 1
    assert 3 <= later["cache_misses"] - earlier["cache_misses"] <= 4
    wrong = report["outcomes"]["wrong-password"]
    assert 1 <= wrong["lately"] <= wrong["count"] and wrong["per_minute"] > 0


def server_of(site, port):
    servers = [server for server in figures(site)["servers"] if server["server"] == f"127.0.0.1:{port}"]
    assert len(servers) <= 1
    return servers[0] if servers else None


def test_servers(site, slapd):
    site.log.allow("AH0161[78]", "AS00")
    before = server_of(site, slapd.port) or {"questions": 0}
    site.get("/in/body", login=("good", WRONG + "s"))
    server = server_of(site, slapd.port)
    # A bind at the entry that is known already, and a search where that fails.
    assert 1 <= server["questions"] - before["questions"] <= 2
    assert server["sessions"] >= 1 and 0 < server["latency_seconds"] < 5 and server["processes"] == 1
    assert server["processes_circuit_open"] == 0 and server["circuit_open_for_seconds"] == 0


BREAKER = """
AuthStatusBreaker 2 1h
<Location /in/a>
    Use Directory "ldap://127.0.0.1:${FAKE}" dc=fake
    AuthType Basic
    AuthName x
    AuthBasicProvider authstatus
    AuthStatus On
    Require valid-user
</Location>
<Location /report>
    SetHandler authstatus-report
    Require local
</Location>
"""


def test_breaker(start):
    fake = Fake()
    fake.stop()
    site = start(BREAKER, defines={"FAKE": fake.port})
    site.log.allow("AS0050")
    for _ in range(4):
        assert site.get("/in/a", login=("ann", RIGHT)).status == 503
    server = server_of(site, fake.port)
    assert server["processes_circuit_open"] == 1 and 3000 < server["circuit_open_for_seconds"] <= 3600
    assert figures(site)["counters"]["breaker_opened"] == 1
    html = site.get("/report").body.decode()
    assert f"<strong>127.0.0.1:{fake.port}</strong> does not answer: circuit breaker open in 1 of 1 processes" in html
    assert "Logins that could not be checked" in html
    assert f'authstatus_directory_circuit_open_processes{{server="127.0.0.1:{fake.port}"}} 1' in site.get("/report?metrics").body.decode()
    site.reload()
    after = figures(site)
    assert after["servers"] == [] and after["outcomes"]["directory-down"]["count"] == 4


def test_all_processes_are_added_up(start, slapd):
    """prefork: each process queries by itself, and any of them makes the page."""
    site = start(BREAKER.replace("dc=fake", "o=pages"), defines={"FAKE": slapd.port}, mpm="prefork",
                 cache="shmcb", modules=("socache_shmcb",))
    site.log.allow("AH0161[78]", "AS00")

    # A child of prefork has one connection at a time: those that are kept are of as many children.
    kept = [site.connection() for _ in range(3)]
    for number, connection in enumerate(kept):
        assert connection.request("/in/a", login=("good", f"{WRONG}{number}")).status == 401
    report = figures(site)
    server = server_of(site, slapd.port)
    assert server["processes"] == 3 and server["sessions"] >= 3
    assert server["questions"] == report["outcomes"]["wrong-password"]["count"] == report["counters"]["cache_misses"] == 3
    for connection in kept:
        connection.close()
    gone = site.children()
    site.reload()
    poll(lambda: not set(gone) & set(site.children()), 20, "old children gone")
    assert server_of(site, slapd.port) is None


def test_outlasts_a_restart_that_loads_the_module_elsewhere(start):
    """What is in the module's own memory may be gone, or be somewhere else, afterwards."""
    site = start("<Location /report>\n    SetHandler authstatus-report\n    Require local\n</Location>\n"
                 "<Location /closed>\n    AuthStatus On\n    Require all denied\n</Location>")
    site.log.allow("AH01630")
    assert site.get("/closed").status == 403
    assert counts(site)["access-denied"] == 1
    for number in range(4):
        lines = site.configuration.read_text().splitlines(keepends=True)
        module = next(line for line in lines if line.startswith("LoadModule authstatus_module"))
        lines.remove(module)
        lines.insert(1 + 4 * number, module)
        site.configuration.write_text("".join(lines))
        site.reload()
        poll(lambda: counts(site)["access-denied"] == 1, 10, "the count of before")


def test_a_server_that_never_answered_is_not_up(start):
    """The circuit breaker of its process is closed: too few have asked."""
    fake = Fake()
    fake.stop()
    site = start(BREAKER.replace("AuthStatusBreaker 2", "AuthStatusBreaker 100") + "<Location /server-status>\n"
                 "    SetHandler server-status\n    Require local\n</Location>\n", defines={"FAKE": fake.port}, modules=("status",))
    site.log.allow("AS0050")
    assert site.get("/in/a", login=("ann", RIGHT)).status == 503
    body = site.get("/report").body.decode()
    row = re.search(rf'<tr><th scope="row">127.0.0.1:{fake.port}</th>.*?</tr>', body).group()
    assert '<td class="words">no answer yet</td>' in row and '<td data-of="latency">not known</td>' in row
    status = site.get("/server-status").body.decode()
    assert re.search(rf"<li>127.0.0.1:{fake.port}: no answer yet; questions: \d+, sessions: 0, latency: not known</li>", status)


# -- mod_status -------------------------------------------------------------------------------------------------------

def test_mod_status(site):
    site.log.allow("AS00")
    site.get("/in/down", login=("good", RIGHT))
    short = dict(line.split(": ", 1) for line in site.get("/server-status?auto").body.decode().splitlines() if ": " in line)
    for name, count in counts(site).items():
        assert short[f"Authstatus[{name}]"] == str(count)
    assert short["Authstatus[cache_hits]"] and short["AuthstatusServer[0]Name"].startswith("127.0.0.1:")
    long = site.get("/server-status").body.decode()
    assert "<h2>mod_authstatus</h2>" in long and "directory-down" in long and "sessions" in long
