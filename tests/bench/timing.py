#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measures whether a clock distinguishes an unknown user from a wrong password. Not part of any check.

Asks one httpd, over one kept connection, thousands of times: a name that nobody has and a known name with a wrong
password, in random order; for mod_authstatus with AuthStatusUniformTiming On, the same with Off, and mod_authnz_ldap,
all interleaved. Each question is asked twice and the second time counts, as somebody would do who wants to know: what
the question before it left behind (a closed connection) is then its own. Prints medians and the area under the ROC
curve of "this took longer, so the user is known": 0.5 cannot be told apart; 1.0 always, and 0.0 too.

usage: AUTHSTATUS_BUILD=... tests/bench/timing.py [--server slapd|slapd-crypt|samba|389ds] [--pairs N] [--most AUC]
           [--providers 1|2] [--authoritative On|Off] [--length OCTETS]
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "live"))

from lab import dirsrv, samba  # noqa: E402
from lab.httpd import Httpd  # noqa: E402
from lab.slapd import TOP, Database, Slapd  # noqa: E402

KINDS = ("on", "off", "mod_authnz_ldap")
PEOPLE = TOP + """dn: uid=known,@SUFFIX@
objectClass: inetOrgPerson
cn: known
sn: known
userPassword: @HASH@
"""
PERSON = """dn: uid=known,{base}
objectClass: inetOrgPerson
uid: known
cn: known
sn: known
userPassword: Pw!right
"""
SITE = """
LDAPSharedCacheSize 0
LDAPCacheEntries 0
LDAPOpCacheEntries 0
<Macro Login $kind $provider $on $timing>
    <Location /in/$kind>
        AuthType Basic
        AuthName "the lab"
        AuthBasicProvider $provider
        AuthLDAPURL "{url}"
        AuthLDAPBindDN "{service}"
        AuthLDAPBindPassword "Pw!service"
        AuthStatus $on
        AuthStatusUniformTiming $timing
        Require valid-user
    </Location>
</Macro>
Use Login on {provider} On On
Use Login off {provider} On Off
Use Login mod_authnz_ldap {theirs} Off Off
"""
# The second provider of a chain is the same directory below an empty branch: it knows nobody.
CHAIN = """
<Macro Alias $provider $name $url>
    <AuthnProviderAlias $provider $name>
        AuthLDAPURL "$url"
        AuthLDAPBindDN "{service}"
        AuthLDAPBindPassword "Pw!service"
        AuthLDAPBindAuthoritative {authoritative}
    </AuthnProviderAlias>
</Macro>
Use Alias authstatus first "{url}"
Use Alias authstatus second "{empty}"
Use Alias ldap their-first "{url}"
Use Alias ldap their-second "{empty}"
"""


def start_slapd(workdir, password="Pw!right"):
    ldif = workdir / "people.ldif"
    ldif.write_text(PEOPLE.replace("@HASH@", password))
    server = Slapd(workdir, [Database("o=bench", ldif)]).start()
    return server, f"ldap://127.0.0.1:{server.port}/o=bench?uid", "cn=service,o=bench"


def start_slapd_crypt(workdir):
    """With passwords that cost to check, as they should be stored."""
    done = subprocess.run(["openssl", "passwd", "-6", "Pw!right"], capture_output=True, text=True, check=True)
    return start_slapd(workdir, "{CRYPT}" + done.stdout.strip())


def start_samba(workdir):
    policies = [samba.policy("patient", PasswordSettingsPrecedence="1")]
    server = samba.Samba(workdir, [samba.Account("known", "people", "Pw!right", policy="patient")], policies,
                         durable=True).start()
    return server, f"ldap://{server.address}/{samba.BASE}?sAMAccountName", samba.SERVICE


def start_389ds(workdir):
    server = dirsrv.Dirsrv(workdir, PERSON.format(base=dirsrv.BASE)).start()
    return server, f"ldap://127.0.0.1:{server.port}/{dirsrv.BASE}?uid", dirsrv.SERVICE


SERVERS = {"slapd": start_slapd, "slapd-crypt": start_slapd_crypt, "samba": start_samba, "389ds": start_389ds}


def area_under_curve(known, unknown):
    """The chance that a known user's answer took longer than an unknown one's; a tie counts half."""
    ranked = sorted([(seconds, True) for seconds in known] + [(seconds, False) for seconds in unknown])
    total, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        total += (at + 1 + end) / 2 * sum(is_known for _, is_known in ranked[at:end])
        at = end
    return (total - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))


def site_of(url, service, providers, authoritative):
    if providers == 1:
        return SITE.format(url=url, service=service, provider="authstatus", theirs="ldap")
    empty = f"{url}?sub?(objectClass=account)"
    return (CHAIN.format(url=url, service=service, empty=empty, authoritative=authoritative)
            + SITE.format(url=url, service=service, provider='"first second"', theirs='"their-first their-second"'))


def measure(httpd, pairs, length=0):
    """{kind: (seconds of wrong passwords, seconds of unknown users)}"""
    times = {kind: ([], []) for kind in KINDS}
    with httpd.connection() as connection:
        for number in range(-20, pairs):
            questions = [(kind, known) for kind in KINDS for known in (True, False)]
            random.shuffle(questions)
            for kind, known in questions:
                login = ("known" if known else f"u{random.randrange(10**4):04}", f"Pw!wrong{number}".ljust(length, "x"))
                for _ in range(2):
                    answer = connection.request(f"/in/{kind}", login=login)
                if answer.status != 401:
                    raise RuntimeError(f"{kind}, {login}: {answer}")
                if number >= 0:  # the first ones warm up
                    times[kind][0 if known else 1].append(answer.seconds)
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", choices=SERVERS, default="slapd")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--providers", type=int, choices=(1, 2), default=1,
                        help="2: a chain, of which the first provider knows the known name, and none the other")
    parser.add_argument("--authoritative", choices=("On", "Off"), default="On",
                        help="AuthLDAPBindAuthoritative of both: Off asks the second one behind a wrong password too")
    parser.add_argument("--length", type=int, default=0, help="octets of each password at least, 600 for example")
    parser.add_argument("--most", type=float, default=1.0,
                        help="end with 1 where mod_authstatus with uniform timing tells more, 0.55 for example")
    options = parser.parse_args()
    os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="authstatus-bench-") as name:
        top = Path(name)
        top.chmod(0o755)
        workdirs = [top / "directory", top / "httpd"]
        for workdir in workdirs:
            workdir.mkdir()
        server, url, service = SERVERS[options.server](workdirs[0])
        httpd = Httpd(workdirs[1], site_of(url, service, options.providers, options.authoritative), ldap=True, in_flight=None)
        try:
            httpd.start()
            times = measure(httpd, options.pairs, options.length)
        finally:
            httpd.stop()
            server.stop()
    print(f"{options.server}, {options.providers} provider(s), {options.pairs} pairs{'wrong password':>24}{'unknown user':>16}{'area under the curve':>24}")
    areas = {}
    for kind in KINDS:
        known, unknown = times[kind]
        areas[kind] = area_under_curve(known, unknown)
        label = kind if kind == "mod_authnz_ldap" else f"AuthStatusUniformTiming {kind.capitalize()}"
        print(f"  {label:<28}{median(known) * 1000:>13.3f} ms{median(unknown) * 1000:>13.3f} ms{areas[kind]:>24.3f}")
    return max(areas["on"], 1 - areas["on"]) > options.most


if __name__ == "__main__":
    sys.exit(main())
