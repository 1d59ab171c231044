# SPDX-License-Identifier: Apache-2.0
"""Names: whatever shape the name of a hidden place has, patterns match it as they match a missing one of that shape; and
whatever a module makes of the name, the answer has the client's own, never the decoy's."""
import itertools
import os
import re
from urllib.parse import unquote_to_bytes

import pytest

# As it is sent, and a missing one of the same shape.
NAMES = {
    "letters": ("secret", "absent"),
    "four letters": ("hide", "none"),
    "two letters": ("zq", "qx"),
    "capitals": ("SECRETS", "ABSENTS"),
    "mixed": ("TopSecret", "NotExists"),
    "digits": ("20240131", "19870401"),
    "many digits": ("123456789012", "987654321098"),
    "letters and digits": ("report2024", "absent1987"),
    "hyphens": ("q-report_24~x", "n-absent_87~y"),
    "UUID": ("550e8400-e29b-41d4-a716-446655440000", "449f1599-f70c-58e5-b283-553344559999"),
    "hash": ("d41d8cd98f00b204e9800998ecf8427e", "e58e1de01a99c795f0199001fda1572f"),
    "a space": ("my%20secret", "no%20absent"),
    "UTF-8": ("r%C3%A9sum%C3%A9s", "a%C3%A9bse%C3%A9t"),
    "UTF-8 in lower case": ("caf%c3%a9s", "nix%c3%a9t"),
    "no letter of ASCII": ("%D0%A1%D0%B5%D0%BA", "%D0%9D%D0%B5%D1%82"),
    "not UTF-8": ("caf%E9%FFs", "nix%E9%FFt"),
    "a percent": ("50%25secret", "40%25absent"),
    "reserved": ("a+b&c=secret", "d+e&f=absent"),
    "a colon and quotes": ("its'own:(secret)", "abs'ent:(absent)"),
    "an extension": ("secret.d", "absent.d"),
    "two extensions": ("secret.tar.gz", "absent.tar.gz"),
    "a dot first": (".secret", ".absent"),
    "the longest": ("topsecret" * 28 + "two", "nosuchone" * 28 + "one"),
}
# Per directory, so that a missing place is what the rule is about, and not who is refused.
RULE = 'RewriteEngine on\n{}\n'
SHOWN = 'Header always set X-Copy "%{COPY}e"\n'
COPIES = {
    "redirect": "RewriteRule ^(.*)$ https://other.test/$1 [R=302]",
    "redirect, not escaped": "RewriteRule ^(.*)$ https://other.test/$1 [R=302,NE]",
    "redirect, escaped twice": "RewriteRule ^(.*)$ https://other.test/?x=$1 [R=302,B]",
    "redirect, query": "RewriteRule ^(.*)$ https://other.test/x?$1 [R=302,QSA]",
    "variable": "RewriteRule ^(.*)$ - [E=COPY:$1]",
    "variable, escaped": "RewriteRule ^(.*)$ - [E=COPY:$1,B]",
    "many": "RewriteRule ^(.*)$ - [E=COPY:<$1|$1$1>]",
    "cookie": "RewriteRule ^([^/]*) - [CO=where:$1:other.test]",
    "half of it": "RewriteCond %{REQUEST_URI} ^/(.{7})\nRewriteRule ^ - [E=COPY:%1]",
    "its end": "RewriteRule ^[^/]*?([^/]{7})(/|$) - [E=COPY:$1]",
    "path of a file": "RewriteRule ^ - [E=COPY:%{REQUEST_FILENAME}]",
}
MAPS = "RewriteMap up int:toupper\nRewriteMap low int:tolower\nRewriteMap esc int:escape\nRewriteMap un int:unescape\n"
MAPPED = {
    "upper": "${up:$1}", "lower": "${low:$1}", "escaped": "${esc:$1}", "escaped again": "${esc:${esc:$1}}",
    "unescaped": "${un:$1}", "upper, escaped": "${esc:${up:$1}}", "both": "${up:$1}-${low:$1}-$1",
}
SERVER = {
    "environment": 'SetEnvIf Request_URI "^/(.*)$" COPY=$1\nErrorDocument 404 /env.cgi',
    "arguments": "RewriteEngine on\nRewriteRule ^/(.*)$ /$1?path=$1 [PT,QSA]\nErrorDocument 404 /env.cgi",
    "headers": 'RewriteEngine on\nRewriteRule ^/([^/]*)(.*)$ - [E=COPY:$2$1]\nRequestHeader set X-In "%{COPY}e"\nErrorDocument 404 /env.cgi',
    "alias": 'RedirectMatch 404 "^/never"\nAliasMatch "^/([^/]*)(/|$)(.*)" "${DOCS}/$1/$3"\n',
    # What matches a name by its shape.
    "patterns": "RewriteEngine on\n" + "\n".join(
        f'RewriteRule "{pattern}" - [E=P{number}:1]\n<LocationMatch "{pattern}">\nHeader always set X-L{number} 1\n</LocationMatch>\n'
        f'Header always set X-P{number} 1 env=P{number}'
        for number, pattern in enumerate((
            r"^/\d+(/|$)", r"^/[a-z]+(/|$)", r"^/[A-Z]+(/|$)", r"^/\d{8}(/|$)", r"^/\w+(/|$)", r"^/[^/]*\d", r"^/[A-Z][a-z]+", r"\s",
            r"[^\x00-\x7f]", r"^/[0-9a-f]{32}(/|$)", r"^/([0-9a-f]+-){4}[0-9a-f]{12}(/|$)", r"^/[a-z]+\d{4}(/|$)", r"^/[^/]{4,6}(/|$)",
            r"\.d(/|$)", r"\.tar\.gz(/|$)", r"^/[^/]*[-_~]", r"[%+&=:']", r"^/\.", r"^/[^/]{200}"))),
}
SITE = r"""
<VirtualHost 127.0.0.1:${HTTP}>
    ServerName "host%d"
    DocumentRoot "${DOCS}"
    AuthStatus On
    AuthStatusMask Forbidden
    AddHandler cgi-script .cgi
    %s
    <Directory "${DOCS}">
        AllowOverride AuthConfig
        Options +FollowSymLinks +ExecCGI
        %s
    </Directory>
    <Files "env.cgi">
        RewriteEngine off
    </Files>
    %s
</VirtualHost>
"""
ENV = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv | sort\n"
HOSTS = {
    **{name: ("", RULE.format(rule), SHOWN) for name, rule in COPIES.items()},
    **{f"map, {name}": (MAPS, RULE.format(f"RewriteRule ^(.*)$ - [E=COPY:{use}]"), SHOWN) for name, use in MAPPED.items()},
    **{f"redirect, {name}": (MAPS, RULE.format(f"RewriteRule ^(.*)$ https://other.test/{use} [R]"), "") for name, use in MAPPED.items()},
    **{name: (text, "", SHOWN) for name, text in SERVER.items()},
}
NUMBER = {name: number for number, name in enumerate(HOSTS)}
# A name that is longer than itself to weigh enough: what is cut out of it is not its own. See "Remaining differences".
SHORT = ("two letters", "four letters", "no letter of ASCII")


@pytest.fixture(scope="module")
def site(start):
    text = "\n".join(SITE % (NUMBER[name], *lines) for name, lines in HOSTS.items())
    httpd = start.make(text, modules=("rewrite", "cgid"), files={"env.cgi": ENV, "other/page.html": "x\n"})
    for name, _ in NAMES.values():
        place = os.path.join(os.fsencode(httpd.workdir / "docs"), unquote_to_bytes(name))
        os.mkdir(place)
        with open(os.path.join(place, b".htaccess"), "w") as rules, open(os.path.join(place, b"page.html"), "w") as page:
            rules.write("Require all denied\n")
            page.write("hidden\n")
    httpd.start()
    return httpd


@pytest.fixture(autouse=True)
def httpds_own_lines(site):
    site.log.allow(r"AH\d{5}: ", "AS00")


# As an octet may be written; the last as httpd has it in a log. And in a page.
FORMS = ("%{1:02x}", "%{1:02X}", "%25{1:02x}", "%25{1:02X}", "%2525{1:02x}", "%2525{1:02X}", "\\x{1:02x}")


def forms(octet):
    """What may become of an octet, always in the same order."""
    for each in (octet, *bytes((octet,)).upper(), *bytes((octet,)).lower()):
        yield from (form.format(chr(each), each).encode("latin-1") for form in FORMS)
        yield {0x26: b"&amp;", 0x22: b"&quot;"}.get(each, bytes((each,)))
        yield b"+" if each == 0x20 else bytes((each,))


def renamed(text, name, twin):
    """A text in which a name, in whichever form each of its octets is, is the twin in the same form."""
    name, twin = unquote_to_bytes(name), unquote_to_bytes(twin)
    parts = {(name, twin), (name[:7], twin[:7]), (name[-7:], twin[-7:])}
    for one, other in sorted(parts, key=lambda part: -len(part[0])):
        octets = [dict(zip(forms(mine), forms(its))) for mine, its in zip(one, other)]
        pattern = re.compile(b"".join(b"(" + b"|".join(map(re.escape, sorted(each, key=len, reverse=True))) + b")" for each in octets))
        text = pattern.sub(lambda match, octets=octets: b"".join(each[form] for each, form in zip(octets, match.groups())), text)
    return text


EPHEMERAL = re.compile(rb"(UNIQUE_ID|REMOTE_PORT|HTTP_X_ROW|expires)=[^\r\n]*")
FRAMING = re.compile(rb"(?i)(transfer-encoding: chunked|content-length: [0-9]+)\r?\n")


def as_of(answer, name, twin):
    return renamed(EPHEMERAL.sub(rb"\1=", FRAMING.sub(b"", answer.comparable())), name, twin)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("host", HOSTS)
def test_a_name(site, host, kind):
    hidden, twin = NAMES[kind]
    if kind in SHORT and host in ("half of it", "its end", "patterns"):
        pytest.skip("test_differences.py")
    if kind == "a percent" and "unescaped" in host:
        pytest.skip("what is decoded once too often is decoded by what follows a percent sign")
    for rest, method in itertools.product(("/page.html", "/none.css?x=y", "/"), ("GET", "OPTIONS")):
        answers = [site.get(f"/{name}{rest}", method=method, host=f"host{NUMBER[host]}") for name in (hidden, twin)]
        assert as_of(answers[0], hidden, twin) == as_of(answers[1], twin, twin), (rest, method)
