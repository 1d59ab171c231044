# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D DUMP_AUTHSTATUS: the policy in force in words, where it is written, and what is doubtful about it."""

import pytest

LOGIN = """AuthType Basic
AuthName "the lab"
AuthBasicProvider authstatus
AuthLDAPURL "ldaps://dc1.test:636 dc2.test:3269/dc=x?uid"
AuthLDAPBindDN cn=service,dc=x
AuthLDAPBindPassword Pw!service
AuthStatus On
Require valid-user"""

CONF = f"""<Location "/in">
{LOGIN}
</Location>
<Location "/in/deep">
AuthStatusMap refused 401
AuthStatusMap account-locked 429
AuthStatusDisclose Never
AuthStatusThrottle 4 5min Both
AuthStatusDeadline 1500ms
</Location>
<Location "/in">
AuthStatusChallenge Quiet "expr=%{{HTTP:X-Requested-With}} == 'XMLHttpRequest'"
</Location>
<Directory "/tmp">
AuthStatus On
AuthStatusMask Forbidden "expr=-R '10.0.0.0/8'"
<Files "*.secret">
AuthStatusMask All
</Files>
<If "%{{REQUEST_URI}} =~ /x/">
AuthStatus Off
</If>
</Directory>
<LocationMatch "^/re(s|t)">
AuthStatus On
</LocationMatch>
<VirtualHost *>
ServerName www.test
AuthStatus On
<Location "/in/virtual">
AuthStatusRetryAfter 1min
</Location>
</VirtualHost>
<VirtualHost *>
ServerName empty.test
</VirtualHost>
"""


@pytest.fixture
def dump(start):
    """Lines of what is said of a configuration; its own lines are counted from 1."""
    def run(conf, **options):
        httpd = start.make(conf, cache=None, **options)
        text = httpd.configuration.read_text()
        run.offset = text[:text.index(conf)].count("\n")
        run.file = httpd.configuration
        done = httpd.run("-t", "-D", "DUMP_AUTHSTATUS")
        assert done.returncode == 0 and "Syntax OK" in done.stderr, done
        return done.stdout
    return run


def section(text, head):
    """What is said of a section, as {label: [texts]}."""
    lines = text.splitlines()
    at = lines.index(f"  {head}") + 1
    found = {}
    while at < len(lines) and lines[at].startswith("    "):
        found.setdefault(lines[at][4:14].strip(), []).append(lines[at][15:])
        at += 1
    return found


def test_policy(dump):
    text = dump(CONF)
    main, *hosts = text.split("\nvirtual host ")
    empty, virtual = sorted(hosts)
    assert main.startswith("main server localhost\n")
    top = section(main, '<Location "/in">')
    assert top["at"] == [f"{dump.file}:{dump.offset + line}" for line in (1, 18)]
    assert top["AuthStatus"] == ["On"] and top["sign-in"] == ["Basic by authstatus"]
    assert top["directory"] == ["dc1.test:636, then dc2.test:3269 (ldaps), as cn=service,dc=x, within 5 s"]
    assert top["statuses"] == ["unauthenticated 401, refused 403, forbidden 403, throttled 429, unavailable 503, "
                               "misconfigured 500"]
    assert top["disclosed"] == ["of accounts, what the directory reported after the right password"]
    assert top["masked"] == ["nothing"] and top["throttle"] == ["none"]
    assert top["challenge"] == ["without a dialog in browsers, where %{HTTP:X-Requested-With} == 'XMLHttpRequest'"]
    # A later piece of the outer section still applies to the inner one.
    deep = section(main, '<Location "/in/deep">')
    assert deep["challenge"] == top["challenge"] and deep["directory"] == [top["directory"][0].replace("5 s", "1500 ms")]
    assert "refused 401 (account-locked 429)" in deep["statuses"][0]
    assert deep["disclosed"] == ["of accounts nothing: each failure is a plain 401"]
    assert deep["throttle"] == ["4 failures of a user or a client within 300 s"]
    assert section(main, '<Directory "/tmp">')["masked"] == [
        "every 403 answers as a missing resource, where -R '10.0.0.0/8'"]
    assert section(main, '<Files "*.secret">')["masked"] == ["every 403, and every answer of a login, answers as a missing resource"]
    assert section(main, '<If "%{REQUEST_URI} =~ /x/">')["AuthStatus"] == ["Off: answers are as httpd has them"]
    assert section(main, '<LocationMatch "^/re(s|t)">')["at"] == [f"{dump.file}:{dump.offset + 31}"]
    assert virtual.startswith(f"www.test  ({dump.file}:{dump.offset + 34})\n")
    assert section(virtual, "everywhere")["AuthStatus"] == ["On"]
    own = section(virtual, '<Location "/in/virtual">')
    assert own["at"] == [f"{dump.file}:{dump.offset + 37}"] and own["directory"] == top["directory"]
    assert empty.startswith("empty.test") and section(empty, '<Location "/in">')["directory"] == top["directory"]
    assert "Pw!" not in text


@pytest.mark.parametrize("line, label, said", [
    ("AuthStatusUniformTiming Off", "timing", "an unknown user costs the directory a search alone"),
    ("AuthStatusUniformTiming On", "timing", None),
    ("AuthLDAPBindAuthoritative Off", "providers", "after a refused password the next provider is called"),
    ("AuthLDAPRemoteUserIsDN On", "user name", "the DN of the user's entry"),
    ("AuthLDAPInitialBindAsUser On", "search", "as the user who wants in"),
])
def test_flags(dump, line, label, said):
    """A flag that differs from its default is printed."""
    text = dump(f'<Location "/in">\nAuthStatus On\n{line}\n</Location>')
    found = section(text, '<Location "/in">')
    assert found.get(label) == (said and [said]), text


def test_nothing_to_say(dump):
    """A server without a directive of ours has no policy printed."""
    text = dump("<VirtualHost *>\nServerName empty.test\n</VirtualHost>\n<VirtualHost *>\nServerName www.test\n"
                "AuthStatusDisclose Never\n</VirtualHost>")
    main, *hosts = text.split("\nvirtual host ")
    assert "no section has a directive of mod_authstatus" in main and "everywhere" not in main
    empty, virtual = sorted(hosts)
    assert "no section has a directive of mod_authstatus" in empty and "everywhere" in virtual


def test_a_proxy_section_is_named(dump):
    """mod_proxy merges it: its policy is not known, and it is not left out in silence."""
    text = dump('<Proxy "*">\nAuthStatus On\n</Proxy>\n<Proxy "http://x/">\nRequire all granted\n</Proxy>\n<VirtualHost *>\nServerName www.test\n'
                '<ProxyMatch "^a">\nAuthLDAPURL ldap://127.0.0.1/dc=x\n</ProxyMatch>\n</VirtualHost>\n', modules=("proxy",))
    main, host = text.split("\nvirtual host ")
    assert section(main, '<Proxy "*">') == {"at": [f"{dump.file}:{dump.offset + 1}"], "policy": ["not shown: mod_proxy decides what is in force here"]}
    assert section(host, '<ProxyMatch "^a">')["at"] == [f"{dump.file}:{dump.offset + 9}"] and "http://x/" not in text and "no section" not in text


def warnings(text):
    return [line.split("warning:")[1].strip() for line in text.splitlines() if "warning:" in line]


@pytest.mark.parametrize("conf, expected", [
    ("", []),
    ("<Location /x>\nAuthStatus On\n</Location>", []),
    (f"<Location /x>\n{LOGIN}\n</Location>", ["Basic without TLS"]),
    (f"SSLEngine On\n<Location /x>\n{LOGIN}\n</Location>", []),
    (f"SSLEngine Off\n<Location /x>\n{LOGIN}\n</Location>", ["Basic without TLS"]),
    (f"SSLEngine On\n<Location /x>\n{LOGIN}\nAuthStatusMask All\n</Location>", ["a mask without a doorway"]),
    (f"SSLEngine On\n<Location /x>\n{LOGIN}\nAuthStatusMask All \"expr=true\"\n</Location>", []),
    (f"SSLEngine On\n<Location /x>\n{LOGIN}\nAuthStatusMask All\n</Location>\n<Location /door>\n{LOGIN}\n</Location>", []),
    (f"SSLEngine On\n<Location />\n{LOGIN}\n</Location>\n<Location /x>\nAuthStatusMask All\n</Location>", []),
    (f"SSLEngine On\n<Location /x>\n{LOGIN}\nAuthBasicProvider ldap\n</Location>", ["AuthBasicProvider ldap reports no detail"]),
    (f"SSLEngine On\n<Location /x>\n{LOGIN}\nAuthBasicProvider ldap\nAuthStatus Off\n</Location>", []),
    ("SSLEngine On\n<Location /x>\n" + LOGIN.replace("AuthBasicProvider authstatus", "") + "\n</Location>",
     ["there is no AuthBasicProvider, so logins"]),
    ("SSLEngine On\n<Location /x>\n" + LOGIN.replace("AuthBasicProvider authstatus", "AuthUserFile /x") + "\n</Location>", []),
    ("SSLEngine On\n<Location /x>\n" + LOGIN.replace("AuthLDAPBindPassword Pw!service", "") + "\n</Location>",
     ["AuthLDAPBindDN without AuthLDAPBindPassword"]),
    ("<Location /x>\nAuthStatusMask Forbidden\n</Location>", ["AuthStatusMask does nothing"]),
    ("<Location /x>\nAuthStatus On\nAuthStatusMask Forbidden\nErrorDocument 404 gone\n</Location>",
     ["ErrorDocument 404 gone"]),
    ("ErrorDocument 404 /x/404.html\n<Location /x>\nAuthStatus On\nAuthStatusMask Forbidden\n</Location>",
     ["the page for 404, /x/404.html, is itself in what is masked"]),
    ("ErrorDocument 403 /x/403.html\nErrorDocument 404 /404.html\n<Location /x>\nAuthStatus On\nAuthStatusMask Forbidden\n</Location>",
     []),
    ("ErrorDocument 404 /x/404.html\nErrorDocument 403 /403.html\n<Location /x>\nAuthStatus On\nAuthStatusMask Forbidden\n</Location>",
     ["the page for 404, /x/404.html, is itself in what is masked"]),
    (f'SSLEngine On\n<Location /x>\n{LOGIN.replace("ldaps://dc1.test:636 dc2.test:3269", "ldap://localhost")}\n</Location>\n'
     f'<Location /y>\n{LOGIN.replace("dc1.test:636 dc2.test:3269", "127.0.0.1")}\nAuthStatusThrottle 4 5min\n</Location>',
     ["127.0.0.1 and localhost are one server"]),
    *((f"SSLEngine On\n<Location /x>\n{LOGIN.replace(line, other)}\n</Location>", said) for line, other, said in (
        ("AuthType Basic\n", "", ["there is no AuthType"]),
        ("AuthType Basic", "AuthType LDAP", ["AuthType LDAP does not call AuthBasicProvider"]),
        ('AuthName "the lab"\n', "", ["there is no AuthName"]),
        ("Require valid-user", "", ["there is no Require"]),
        (LOGIN.splitlines()[3], "", ["there is no AuthLDAPURL"]),
        ("ldaps://", "ldap://", ["port 636 of dc1.test is that of ldaps://, and this is ldap://",
                                 "port 3269 of dc2.test is that of ldaps://, and this is ldap://"]),
        ("dc1.test:636 dc2.test:3269", "dc1.test:389 dc2.test", ["port 389 of dc1.test is that of ldap://",
                                                                 "port 389 of dc2.test is that of ldap://"]),
        ("ldaps://dc1.test:636 dc2.test:3269", "ldap://dc1.test dc2.test",
         ["without TLS passwords can be read on their way to dc1.test", "without TLS passwords can be read on their way to dc2.test"]),
        ("ldaps://dc1.test:636 dc2.test:3269", "ldap://127.0.0.1 localhost [::1]", []),
        ("cn=service,dc=x", "service", ['AuthLDAPBindDN "service" is not a DN']), ("cn=service,dc=x", "service@x.test", []),
        ("cn=service,dc=x", r"X\service", []),
        ("AuthStatus On", "AuthStatusMap refused 401\nAuthStatusHelp refused /h\nAuthStatusThrottle 4 5min",
         ["AuthStatusMap does nothing where AuthStatus is not On", "AuthStatusHelp does nothing where AuthStatus is not On"]),
        ("/dc=x?", "/people?", ['the base of AuthLDAPURL, "people", is not a DN']), ("/dc=x?", "/?", []),
        ('uid"', 'uid" STARTTLS', []), ("dc1.test:636 dc2.test:3269", "dc1.test:10636", []))),
    # what a section has from outside is there, and a server is doubted once
    (f"SSLEngine On\n<Location /x>\n{LOGIN.replace(':636', ':389')}\n</Location>\n<Location /x/y>\nAuthStatusDisclose Never\n</Location>",
     ["port 389 of dc1.test"]),
    ("SSLEngine On\n<Location /x>\nAuthType Form\n</Location>\n<Location /x/y>\nAuthStatus On\n</Location>", []),
    ("<Location /s>\nSetHandler authstatus-switch\nRequire all granted\n</Location>", ["authstatus-switch without AuthName"]),
    ('<Location /s>\nSetHandler authstatus-switch\nAuthName "the lab"\nRequire all granted\n</Location>', []),
    ("<Location /s>\nSetHandler authstatus_report\nRequire local\n</Location>", ["there is no handler authstatus_report"]),
    ("<Location /s>\nSetHandler authstatus-reports\nRequire local\n</Location>", ["there is no handler authstatus-reports"]),
    ("<Location /r>\nSetHandler authstatus-report\n</Location>", ["nothing protects the report page"]),
    ("<Location /r>\nSetHandler \"authstatus-report\"\nRequire local\n</Location>", []),
    ("<Location /r>\nSetHandler authstatus-report\nRequire local\n</Location>\n<Location /r/x>\nRequire all granted\n</Location>",
     ["nothing protects the report page"]),
])
def test_warnings(dump, needs_module, conf, expected):
    if "SSLEngine" in conf:
        needs_module("ssl")
    found = warnings(text := dump(conf, modules=("ssl", "socache_shmcb"), ldap="AuthBasicProvider ldap" in conf))
    assert len(found) == len(expected) and all(map(str.startswith, found, expected)), text
    assert text.endswith(f"{len(expected)} warning{'' if len(expected) == 1 else 's'}\n")

ALL, WHOEVER = "one line of Require is enough: Require all granted (", "one line of Require is enough: Require valid-user ("
LIMIT = "Require stands in <Limit "


@pytest.mark.parametrize("lines, expected", [
    ("Require all granted\nRequire valid-user", [ALL]),
    ("Require ldap-group cn=a,dc=x\nRequire all granted", [ALL]),
    ("Require valid-user\nRequire ldap-group cn=a,dc=x", [WHOEVER]),
    ("Require user ann\nRequire valid-user", [WHOEVER]),
    ("<RequireAny>\nRequire valid-user\nRequire ldap-user ann\n</RequireAny>", [WHOEVER]),
    ("<RequireAll>\nRequire ip 10.0.0.0/8\n<RequireAny>\nRequire valid-user\nRequire ldap-user ann\n</RequireAny>\n</RequireAll>", [WHOEVER]),
    # each as it should be
    ("<RequireAll>\nRequire all granted\nRequire valid-user\nRequire ldap-group cn=a,dc=x\n</RequireAll>", []),
    ("<RequireAll>\nRequire valid-user\nRequire not ldap-group cn=a,dc=x\n</RequireAll>", []),
    ("Require all denied\nRequire valid-user", []),
    ("Require ip 10.0.0.0/8\nRequire valid-user", []),
    ("Require ldap-user ann\nRequire ldap-group cn=a,dc=x", []),
    ("<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire all granted\nRequire user ann\n</RequireNone>\n</RequireAll>", []),
    # methods
    ("<Limit GET POST>\nRequire valid-user\n</Limit>", [LIMIT + "GET POST> ("]),
    ("<Limit GET>\nRequire valid-user\nRequire user ann\n</Limit>", [WHOEVER, LIMIT + "GET> ("]),
    ("<Limit PUT DELETE>\nRequire valid-user\n</Limit>", []),
    ("<LimitExcept GET>\nRequire valid-user\n</LimitExcept>", []),
    ("<Limit GET>\nRequire user ann\n</Limit>\n<LimitExcept GET>\nRequire user bob\n</LimitExcept>", []),
    ("Require valid-user\n<Limit GET>\nRequire ip 10.0.0.0/8\n</Limit>", []),
    ("<Limit GET>\nRequire all granted\n</Limit>", []),
])
def test_a_line_of_require_that_lets_in_more(dump, lines, expected):
    text = dump(f"<Location /x>\n{LOGIN.replace('Require valid-user', lines)}\n</Location>")
    found = [warning for warning in warnings(text) if "Basic without TLS" not in warning]
    assert len(found) == len(expected) and all(map(str.startswith, found, expected)), text


@pytest.mark.parametrize("url, warned", [('"ldaps://dc1.test/dc=x"', True), ('"ldap://dc1.test/dc=x" STARTTLS', True),
                                         ('"ldaps://localhost/dc=x"', False), ('"ldap://dc1.test/dc=x"', False)])
def test_a_certificate_that_nobody_verifies(dump, url, warned):
    sections = "".join(f"<Location /{name}>\nAuthLDAPURL {url}\n</Location>\n" for name in "xy")
    text = dump("LDAPVerifyServerCert Off\n" + sections, ldap=False)
    assert len([warning for warning in warnings(text) if warning.startswith("LDAPVerifyServerCert Off")]) == warned, text
    assert text.count(", any certificate), as nobody") == (2 if '"ldaps:' in url or "STARTTLS" in url else 0), text
    assert "certificate" not in dump(sections, ldap=False)


def test_a_second_url(dump):
    text = dump('<Location /x>\nAuthLDAPURL "ldaps://a/dc=x"\nAuthLDAPURL "ldaps://b/dc=x"\n</Location>\n'
                '<Location /x/y>\nAuthLDAPURL "ldaps://c/dc=x"\n</Location>\n')
    assert [warning.split("(")[1].split(")")[0] for warning in warnings(text)] == [f"{dump.file}:{dump.offset + 2}"], text


def test_only_when_asked_for(start):
    code, said = start.make(CONF, cache=None).configtest()
    assert code == 0 and "main server" not in said


def test_what_no_mask_reaches(dump):
    said = dump("""<VirtualHost *>
ServerName hides.test
AuthStatus On
AuthStatusMask All
ScriptAlias /cgi-bin /tmp
<Location "/board">
SSLVerifyClient require
</Location>
<Location "/none">
SSLVerifyClient none
</Location>
</VirtualHost>
<VirtualHost *>
ServerName plain.test
AuthStatus On
ScriptAlias /cgi-bin /tmp
<Location "/board">
SSLVerifyClient require
AuthStatusMask Forbidden
</Location>
</VirtualHost>
""", modules=("ssl", "cgid"))
    hides, plain = (said.split(f"\nvirtual host {name}.test")[1].split("\nvirtual host")[0] for name in ("hides", "plain"))
    assert hides.count("SSLVerifyClient") == 1 and hides.count("script named nph-") == 1
    assert plain.count("SSLVerifyClient") == 1


REVEALS = {"ssl": ("SSLCipherSuite HIGH",), "allowmethods": ("AllowMethods GET", "AllowMethods reset"), "speling": ("CheckSpelling On", "CheckSpelling Off"),
           "dir": ("FallbackResource /front.php", "FallbackResource disabled"), "dav": ("Dav On", "Dav Off")}


@pytest.mark.parametrize("module", REVEALS)
def test_what_reveals_a_masked_section(dump, needs_module, module):
    needs_module(module)
    warned, *silent = REVEALS[module]
    site = "<VirtualHost *>\nServerName hides.test\nAuthStatus On\nAuthStatusMask {}\n<Directory /srv/www>\n{}\n</Directory>\n</VirtualHost>\n"

    def found(mask, directive):
        return [line for line in warnings(dump(site.format(mask, directive), modules=(module, *(("dav_fs",) if module == "dav" else ())))) if line.startswith(directive.split()[0])]
    assert len(found("Forbidden", warned)) == 1
    assert not found("Off", warned) and not any(found("Forbidden", line) for line in silent)


MASK = "AuthStatus On\nAuthStatusMask Forbidden\n"
VHOST = "<VirtualHost *>\nServerName hides.test\n{}</VirtualHost>\n"


@pytest.mark.parametrize("module, conf, count", [
    # in force in the masked section from outside: its server, the main server, an outer section
    ("speling", "CheckSpelling On\n<Location /x>\n" + MASK + "</Location>\n", 1),
    ("speling", "CheckSpelling On\n<Location /x>\nCheckSpelling Off\n" + MASK + "</Location>\n", 0),
    ("speling", "CheckSpelling On\n" + VHOST.format(MASK), 1),
    ("speling", "CheckSpelling On\n" + VHOST.format("CheckSpelling Off\n" + MASK), 0),
    ("speling", "CheckSpelling On\n" + VHOST.format("<Location /x>\n" + MASK + "</Location>\n"), 1),
    ("dir", "<Directory /srv>\nFallbackResource /f.php\n</Directory>\n<Directory /srv/x>\n" + MASK + "</Directory>\n", 1),
    ("dir", "<Directory /srv/y>\nFallbackResource /f.php\n</Directory>\n<Directory /srv/x>\n" + MASK + "</Directory>\n", 0),
    ("dir", "<Directory /srv/x>\n" + MASK + "</Directory>\n<Directory /srv/x/y>\nFallbackResource /f.php\n</Directory>\n", 1),
    # a section of the other kind, by DocumentRoot or Alias
    ("dir", "Alias /x /srv/x\n<Directory /srv>\nFallbackResource /f.php\n</Directory>\n<Location /x>\n" + MASK + "</Location>\n", 1),
    ("dir", "Alias /x /srv/x\n<Directory /srv/x/y>\nFallbackResource /f.php\n</Directory>\n<Location /x>\n" + MASK + "</Location>\n", 1),
    ("dir", "Alias /x /srv/x\n<Directory /srv/xy>\nFallbackResource /f.php\n</Directory>\n<Location /x>\n" + MASK + "</Location>\n", 0),
    ("dir", "Alias /x /srv/x\n<Directory /srv>\nFallbackResource /f.php\n</Directory>\n<Location /x>\nFallbackResource disabled\n" + MASK + "</Location>\n", 0),
    ("dir", "<Directory ${DOCS}>\nFallbackResource /f.php\n</Directory>\n<Location /x>\n" + MASK + "</Location>\n", 1),
    ("dir", "<Location />\nFallbackResource /f.php\n</Location>\n<Directory ${DOCS}/x>\n" + MASK + "</Directory>\n", 1),
    ("ssl", "<Location /x>\nSSLVerifyClient require\n</Location>\n<Directory ${DOCS}>\n" + MASK + "</Directory>\n", 1),
    ("ssl", "<Location />\nSSLVerifyClient require\n</Location>\n<Directory ${DOCS}/x>\n" + MASK + "</Directory>\n", 0),
    # Files and If of a server
    ("ssl", '<If "true">\n' + MASK + "</If>\n<Location /x>\nSSLVerifyClient require\n</Location>\n", 1),
    ("cgid", "<Files *.cgi>\nSetHandler cgi-script\n</Files>\n<Location /x>\n" + MASK + "</Location>\n", 1),
    ("speling", "CheckSpelling On\n<Directory /srv/x>\nCheckSpelling Off\n" + MASK + "</Directory>\n", 0),
    # once for a server, however many sections are masked
    ("speling", "CheckSpelling On\n<Location /x>\n" + MASK + "</Location>\n<Location /y>\n" + MASK + "</Location>\n", 1),
    ("speling", VHOST.format("CheckSpelling On\n" + MASK + "<Location /y>\nAuthStatusDisclose Never\n</Location>\n"), 1),
    # of the whole virtual host
    ("dav", "<Location /dav>\nDav On\n</Location>\n<Location /x>\n" + MASK + "</Location>\n", 1),
    ("dav", "<Location /dav>\nDav On\n</Location>\n" + VHOST.format("<Location /x>\n" + MASK + "</Location>\n"), 1),
    ("dav", "<Location /x>\n" + MASK + "</Location>\n" + VHOST.format("<Location /dav>\nDav On\n</Location>\n"), 1),
    ("dav", VHOST.format("<Location /x>\n" + MASK + "</Location>\n") + VHOST.replace("hides", "dav").format("<Location /dav>\nDav On\n</Location>\n"), 0),
    # in the section, another piece of it, or one in it
    ("ssl", "<Location /x>\n" + MASK + "</Location>\n<Location /x/y>\nSSLVerifyClient require\n</Location>\n", 1),
    ("ssl", "<Location /x>\n" + MASK + "</Location>\n<Location /x>\nSSLVerifyClient require\n</Location>\n", 1),
    ("ssl", "<Location /x>\nSSLVerifyClient require\n</Location>\n<Location /x/y>\n" + MASK + "</Location>\n", 0),
    ("ssl", "<LocationMatch ^/x>\n" + MASK + "</LocationMatch>\n<LocationMatch ^/x>\nSSLVerifyClient require\n</LocationMatch>\n", 1),
    ("ssl", "<Directory /srv/x>\n" + MASK + "<Files y>\nSSLVerifyClient require\n</Files>\n</Directory>\n", 1),
    ("ssl", "SSLVerifyClient require\n<Location /x>\n" + MASK + "</Location>\n", 0),
    # programs
    ("cgid", "ScriptAlias /cgi-bin /tmp\n" + VHOST.format(MASK), 1),
    ("cgid", "ScriptAlias /cgi-bin /tmp\n" + VHOST.format("<Location /x>\n" + MASK + "</Location>\n"), 1),
    ("cgid", "<Location /x>\n" + MASK + "</Location>\n<Location /x/y>\nSetHandler cgi-script\n</Location>\n", 1),
    ("cgid", "<Location /x>\n" + MASK + "</Location>\n<Location /y>\nSetHandler cgi-script\n</Location>\n", 0),
])
def test_a_revealing_directive_is_found_wherever_it_stands(dump, needs_module, module, conf, count):
    needs_module(module)
    words = {"ssl": "SSLVerifyClient", "speling": "CheckSpelling", "dir": "FallbackResource", "dav": "Dav ", "cgid": "programs run here"}
    said = dump(conf, modules=(module, *(("dav_fs",) if module == "dav" else ())))
    assert len([line for line in warnings(said) if line.startswith(words[module])]) == count, said


@pytest.mark.parametrize("path", ["/tmp//", "//tmp", "/./tmp", "/var/../tmp", "${root}/tmp"])
def test_a_directory_is_the_same_however_it_is_written(dump, path):
    """httpd keeps paths in canonical form."""
    conf = f'Define root /\n<Directory "{path}">\n{LOGIN}\nAuthStatusMask Forbidden "expr=-R \'10.0.0.0/8\'"\nRequire ldap-group cn=x,dc=x\n</Directory>\n'
    said = dump(conf)
    assert "where -R '10.0.0.0/8'" in said and "ldap-group cn=x,dc=x: answered by mod_authstatus" in said, said


PAGES = """SSLEngine On
Alias /elsewhere /srv/elsewhere
{documents}
<Directory "${{DOCS}}/closed">
{login}
</Directory>
<Directory "/srv/elsewhere">
{login}
</Directory>
<Location "/">
{login}
</Location>
<Location "/open">
Require all granted
</Location>
<Location "/open/closed">
Require ldap-user boss
</Location>
<Location "/near">
Require ip 10.0.0.0/8
</Location>
<LocationMatch "^/pages/">
Require all granted
</LocationMatch>
"""


@pytest.mark.parametrize("documents, where", [
    ("ErrorDocument 403 /403.html", '<Location "/">'),
    ("ErrorDocument 401 /errors/login.shtml?x", '<Location "/">'),
    ('ErrorDocument 503 "/errors/away.html"', '<Location "/">'),
    ("ErrorDocument 403 /open/closed/403.html", '<Location "/open/closed">'),
    ("ErrorDocument 403 /openly.html", '<Location "/">'),
    ("ErrorDocument 403 /open/403.html", None),
    ("ErrorDocument 403 /pages/403.html", None),
    ("ErrorDocument 403 /near/403.html", None),
    ('ErrorDocument 403 "No."', None),
    ("ErrorDocument 403 https://www.example.org/403.html", None),
    ("ErrorDocument 500 default", None),
    ("ErrorDocument 405 /405.html", None),
    ("", None),
])
def test_an_error_page_behind_a_login(dump, needs_module, documents, where):
    """In conf-available it stands where the site protects everything: "Additionally, a 403"."""
    needs_module("ssl")
    found = [text for text in warnings(dump(PAGES.format(documents=documents, login=LOGIN), modules=("ssl", "socache_shmcb")))
             if "ErrorDocument" in text]
    assert len(found) == (where is not None), found
    assert not where or (f" is itself in {where}, which" in found[0] and "Require all granted" in found[0]
                         and '"Additionally, a 403" in its place;' in found[0] and f"httpd.conf:{dump.offset + 3})" in found[0])


@pytest.mark.parametrize("path, where", [("/closed/403.html", '<Directory "'), ("/elsewhere/403.html", '<Directory "/srv/elsewhere">'),
                                         ("/403.html", None)])
def test_an_error_page_in_a_directory_behind_a_login(dump, needs_module, path, where):
    """Where no Location decides: the file's Directory, by Alias or DocumentRoot."""
    needs_module("ssl")
    conf = PAGES.format(documents=f"ErrorDocument 403 {path}", login=LOGIN).replace('<Location "/">', '<Location "/wiki">')
    found = [text for text in warnings(dump(conf, modules=("ssl", "socache_shmcb"))) if "ErrorDocument" in text]
    assert len(found) == (where is not None) and (not where or f" is itself in {where}" in found[0]), found


def test_a_virtual_host_is_told_of_the_servers_error_page(dump, needs_module):
    """As on Debian: the page stands in conf-enabled, the login in the site."""
    needs_module("ssl")
    found = warnings(dump("ErrorDocument 403 /errors/403.html\nErrorDocument 401 /errors/403.html\n<VirtualHost *>\nServerName www.test\nSSLEngine On\n"
                          f'<Location "/">\n{LOGIN}\n</Location>\n<Location "/x">\nAuthStatus On\n</Location>\n</VirtualHost>\n',
                          modules=("ssl", "socache_shmcb")))
    assert len(found) == 1 and '/errors/403.html' in found[0] and 'in <Location "/">' in found[0], found
